package cut

import (
	"bytes"
	"math/bits"
)

// A walker finds the ends of JSON values. It tells apart strings, brackets and
// the rest, no more. Methods return an index, or -1 once err is set.
type walker struct {
	b      []byte
	err    error
	window window
}

func (w *walker) fail(at int, reason string) error {
	if w.err == nil {
		if at >= len(w.b) {
			at, reason = len(w.b), "it ends too early"
		}
		w.err = &SyntaxError{Offset: at, Reason: reason}
	}
	return w.err
}

// at returns the byte at i, or 0 behind the end.
func (w *walker) at(i int) byte {
	if uint(i) < uint(len(w.b)) {
		return w.b[i]
	}
	return 0
}

func (w *walker) space(i int) int {
	for i < len(w.b) && w.b[i] <= ' ' && w.b[i] != 0 {
		i++
	}
	return i
}

// find returns the index behind the opening bracket of the array under path.
func (w *walker) find(path []string) (int, error) {
	i := w.space(0)
	for _, key := range path {
		if i = w.member(i, key); i < 0 {
			return 0, w.err
		}
	}
	if w.at(i) != '[' {
		return 0, w.fail(i, "an array is expected")
	}
	return i + 1, nil
}

// member returns where the value of the key begins in the object at i. Of a key
// that stands there twice the first counts.
func (w *walker) member(i int, key string) int {
	if w.at(i) != '{' {
		_ = w.fail(i, "an object is expected")
		return -1
	}
	for i = w.space(i + 1); w.at(i) == '"'; i = w.space(i + 1) {
		end := w.text(i)
		if end < 0 {
			return -1
		}
		found := string(w.b[i+1:end-1]) == key
		if i = w.space(end); w.at(i) != ':' {
			_ = w.fail(i, "a colon is expected")
			return -1
		}
		if i = w.space(i + 1); found {
			return i
		}
		if i = w.skip(i); i < 0 {
			return -1
		}
		if i = w.space(i); w.at(i) != ',' {
			break
		}
	}
	_ = w.fail(i, "the object has no "+key)
	return -1
}

// closing passes what stands behind the array: the rest of the objects around it.
func (w *walker) closing(i, depth int) error {
	for ; depth > 0; depth-- {
		for i = w.space(i); w.at(i) == ','; i = w.space(i) {
			if i = w.space(i + 1); w.at(i) != '"' {
				return w.fail(i, "a key in quotes is expected")
			}
			if i = w.text(i); i < 0 {
				return w.err
			}
			if i = w.space(i); w.at(i) != ':' {
				return w.fail(i, "a colon is expected")
			}
			if i = w.skip(w.space(i + 1)); i < 0 {
				return w.err
			}
		}
		if w.at(i) != '}' {
			return w.fail(i, "a comma or } is expected")
		}
		i++
	}
	if i = w.space(i); i < len(w.b) {
		return w.fail(i, "nothing may follow here")
	}
	return nil
}

// skip returns the index behind the value at i.
func (w *walker) skip(i int) int {
	switch w.at(i) {
	case '"':
		return w.text(i)
	case '{', '[':
		return w.nested(i)
	}
	begin := i
	for i < len(w.b) && w.b[i] > ' ' && w.b[i] != ',' && w.b[i] != ']' && w.b[i] != '}' {
		i++
	}
	if i == begin {
		_ = w.fail(i, "a value is expected")
		return -1
	}
	return i
}

// text returns the index behind the string at i. A quote that was found is kept,
// so that many escapes in front of it do not have it looked for again each time.
func (w *walker) text(i int) int {
	quote := i
	for i++; ; {
		if quote < i {
			next := bytes.IndexByte(w.b[min(i, len(w.b)):], '"')
			if next < 0 {
				_ = w.fail(len(w.b), "")
				return -1
			}
			quote = i + next
		}
		escape := bytes.IndexByte(w.b[i:quote], '\\')
		if escape < 0 {
			return quote + 1
		}
		i += escape + 2
	}
}

// nested returns the index behind the object or array at i. It takes 64 bytes at
// a time without a branch for each: which of them are quotes and brackets, which
// lie inside strings (the parity of the quotes before), and how deep it is
// behind them. Only where the value may end it looks at each bracket.
func (w *walker) nested(i int) int {
	depth := 0
	var within, carried uint64
	here := ^uint64(0) << (i % markedBytes) // bytes before i do not count
	for i &^= markedBytes - 1; i < len(w.b); i += markedBytes {
		m := w.window.at(w.b, i)
		quotes, slashes := m.quotes&here, m.slashes&here
		if slashes|carried != 0 {
			var behind uint64
			behind, carried = escaped(slashes, carried)
			quotes &^= behind
		}
		inside := inStrings(quotes, within)
		opened, closed := m.opens&here&^inside, m.closes&here&^inside
		if below := depth - bits.OnesCount64(closed); below > 0 {
			depth = below + bits.OnesCount64(opened)
		} else {
			var end int
			if end, depth = lastBracket(opened, closed, depth); end > 0 {
				return i + end
			}
		}
		within = uint64(int64(inside) >> 63)
		here = ^uint64(0)
	}
	_ = w.fail(len(w.b), "")
	return -1
}

// lastBracket goes from bracket to bracket; end is behind the one that brings
// the depth to 0, or 0.
func lastBracket(opened, closed uint64, depth int) (end, deep int) {
	for left := opened | closed; left != 0; left &= left - 1 {
		if at := bits.TrailingZeros64(left); opened>>at&1 == 1 {
			depth++
		} else if depth--; depth == 0 {
			return at + 1, 0
		}
	}
	return 0, depth
}

func lineEnd(b []byte, i int) int {
	if n := bytes.IndexByte(b[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(b)
}

func blank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }
