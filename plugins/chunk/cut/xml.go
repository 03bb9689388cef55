package cut

import "bytes"

type tagKind uint8

const (
	tagNone tagKind = iota
	tagOpen
	tagClose
	tagEmpty
)

// xmlTag is one tag: begin and end are its place, name aliases the body.
type xmlTag struct {
	kind       tagKind
	name       []byte
	begin, end int
}

// xmlWalker finds tags. It passes over text, comments, CDATA and instructions.
type xmlWalker struct {
	b []byte
	i int
	// prolog is where the first element begins.
	prolog  int
	started bool
}

// passages are what is passed over whole: from the first to the second.
var passages = [][2][]byte{
	{[]byte("<!--"), []byte("-->")},
	{[]byte("<![CDATA["), []byte("]]>")},
	{[]byte("<?"), []byte("?>")},
	{[]byte("<!"), []byte(">")},
}

func (x *xmlWalker) next() (xmlTag, error) {
	for {
		at := bytes.IndexByte(x.b[x.i:], '<')
		if at < 0 {
			return xmlTag{}, nil
		}
		x.i += at
		if passed, err := x.passage(); err != nil {
			return xmlTag{}, err
		} else if !passed {
			return x.tag()
		}
	}
}

// passage passes what begins here, unless it is a tag.
func (x *xmlWalker) passage() (bool, error) {
	rest := x.b[x.i:]
	for _, passage := range passages {
		if !bytes.HasPrefix(rest, passage[0]) {
			continue
		}
		end := bytes.Index(rest[len(passage[0]):], passage[1])
		if end < 0 {
			return false, &SyntaxError{Offset: x.i, Reason: string(passage[0]) + " is not ended"}
		}
		x.i += len(passage[0]) + end + len(passage[1])
		return true, nil
	}
	return false, nil
}

func (x *xmlWalker) tag() (xmlTag, error) {
	tag := xmlTag{kind: tagOpen, begin: x.i}
	i := x.i + 1
	if i < len(x.b) && x.b[i] == '/' {
		tag.kind = tagClose
		i++
	}
	begin := i
	for i < len(x.b) && x.b[i] > ' ' && x.b[i] != '>' && x.b[i] != '/' {
		i++
	}
	tag.name = x.b[begin:i]
	for i < len(x.b) && x.b[i] != '>' {
		if quote := x.b[i]; quote == '"' || quote == '\'' {
			end := bytes.IndexByte(x.b[i+1:], quote)
			if end < 0 {
				break
			}
			i += 1 + end
		}
		i++
	}
	if i >= len(x.b) || x.b[i] != '>' {
		return tag, &SyntaxError{Offset: tag.begin, Reason: "the tag is not ended"}
	}
	if x.b[i-1] == '/' {
		tag.kind = tagEmpty
	}
	tag.end, x.i = i+1, i+1
	if !x.started {
		x.started, x.prolog = true, tag.begin
	}
	return tag, nil
}
