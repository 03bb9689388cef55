package junit

import (
	"bytes"
	"unsafe"

	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

// token is what a scanner found.
type token uint8

const (
	tokenEnd   token = iota // of the document, or of what is well formed: see err
	tokenOpen               // <name …> or <name …/>, which a tokenClose follows
	tokenClose              // </name>
	tokenText               // character data or CDATA, as it stands in the body
)

// attribute is one attribute of a start tag; the value still has its entities,
// unless it is plain.
type attribute struct {
	name, value []byte
	plain       bool
}

// text is the value with its entities replaced.
func (a *attribute) text() string {
	if a.plain {
		return unsafe.String(unsafe.SliceData(a.value), len(a.value))
	}
	return plainText(a.value, false)
}

// A scanner reads XML, one token at a call. It checks that tags match,
// attributes are unique and entities are known, and refuses document types
// that declare anything. It knows no namespaces.
type scanner struct {
	b        []byte
	i        int
	err      error
	maxDepth int

	name       []byte
	attributes []attribute
	text       []byte
	raw        bool // text is CDATA: it has no entities
	open       [][]byte
	selfClosed bool
	rooted     bool
}

func (s *scanner) fail(at int, reason string) token {
	if s.err == nil {
		if at >= len(s.b) {
			at, reason = len(s.b), "it ends too early"
		}
		s.err = &assemble.SyntaxError{Format: "XML", Offset: at, Reason: reason}
	}
	s.i = len(s.b)
	return tokenEnd
}

// next returns the next token. Comments and processing instructions are passed over.
func (s *scanner) next() token {
	if s.selfClosed {
		s.selfClosed = false
		return s.closed()
	}
	for s.i < len(s.b) {
		if s.b[s.i] != '<' {
			if found := s.characters(); found != tokenEnd || s.err != nil {
				return found
			}
			continue
		}
		switch rest := s.b[s.i:]; {
		case has(rest, "</"):
			return s.endTag()
		case has(rest, "<!--"):
			if !s.pass(4, "-->") {
				return tokenEnd
			}
		case has(rest, "<![CDATA["):
			return s.cdata()
		case has(rest, "<?"):
			if !s.pass(2, "?>") {
				return tokenEnd
			}
		case has(rest, "<!"):
			if s.doctype() < 0 {
				return tokenEnd
			}
		default:
			return s.startTag()
		}
	}
	if s.err == nil && len(s.open) > 0 {
		return s.fail(len(s.b), "")
	}
	if s.err == nil && !s.rooted {
		return s.fail(len(s.b), "")
	}
	return tokenEnd
}

func has(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}

// pass moves behind the closing mark of what opened width bytes ago.
func (s *scanner) pass(width int, closing string) bool {
	end := bytes.Index(s.b[s.i+width:], []byte(closing))
	if end < 0 {
		s.fail(len(s.b), "")
		return false
	}
	s.i += width + end + len(closing)
	return true
}

// characters reads text up to the next tag. Outside the root only white space may stand.
func (s *scanner) characters() token {
	start := s.i
	end := bytes.IndexByte(s.b[start:], '<')
	if end < 0 {
		end = len(s.b) - start
	}
	s.i = start + end
	s.text, s.raw = s.b[start:s.i], false
	if len(s.open) == 0 {
		if at := notBlank(s.text); at >= 0 {
			return s.fail(start+at, "text stands outside the root element")
		}
		return tokenEnd
	}
	if at := badEntity(s.text); at >= 0 {
		return s.fail(start+at, "this entity is not known")
	}
	return tokenText
}

func (s *scanner) cdata() token {
	start := s.i + len("<![CDATA[")
	if len(s.open) == 0 {
		return s.fail(s.i, "text stands outside the root element")
	}
	if !s.pass(len("<![CDATA["), "]]>") {
		return tokenEnd
	}
	s.text, s.raw = s.b[start:s.i-len("]]>")], true
	return tokenText
}

// doctype passes over a document type that declares nothing. Entities of its own
// would be a way to make a small body large.
func (s *scanner) doctype() int {
	if !has(s.b[s.i:], "<!DOCTYPE") || s.rooted {
		s.fail(s.i, "this declaration does not belong here")
		return -1
	}
	for at := s.i; at < len(s.b); at++ {
		switch s.b[at] {
		case '[':
			s.fail(at, "document types with declarations of their own are refused")
			return -1
		case '>':
			s.i = at + 1
			return s.i
		}
	}
	s.fail(len(s.b), "")
	return -1
}

func notBlank(text []byte) int {
	for i, c := range text {
		if !blank(c) {
			return i
		}
	}
	return -1
}

func blank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }
