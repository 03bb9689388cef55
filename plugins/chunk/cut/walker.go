package cut

import (
	"bytes"
	"encoding/binary"
)

// A walker finds the ends of JSON values. It tells apart strings, brackets and
// the rest, no more. Methods return an index, or -1 once err is set.
type walker struct {
	b   []byte
	err error
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

const (
	// blockBytes is how much vector instructions look at together.
	blockBytes = 64

	ones    = 0x0101010101010101
	lows    = 0x7f7f7f7f7f7f7f7f
	highs   = 0x8080808080808080
	quotes  = 0x22 * ones
	slashes = 0x5c * ones
	cases   = 0x20 * ones
	opens   = 0x7b * ones
	closes  = 0x7d * ones
)

// equal is 1 in the bytes of the word that equal those of the pattern, else 0.
func equal(word, pattern uint64) uint64 {
	x := word ^ pattern
	return ((x&lows+lows)|x)>>7&ones ^ ones
}

// nested returns the index behind the object or array at i. It takes eight bytes
// at a time without a branch for each: which of them are quotes and brackets,
// which lie inside strings (the parity of the quotes before), and how deep it
// is behind them.
func (w *walker) nested(i int) int {
	b := w.b
	depth := 0
	inside := uint64(0)  // ones in a string
	carried := uint64(0) // 1 when the byte at i is escaped
	for stopped := i - blockBytes; i+8 <= len(b); {
		if i >= stopped+blockBytes && depth > 0 {
			if i, depth, inside, carried = blocks(b, i, depth, inside, carried); i+8 > len(b) {
				break
			}
			stopped = i
		}
		word := binary.LittleEndian.Uint64(b[i:])
		slash := equal(word, slashes)
		escaped := slash<<8 | carried
		// parity is 1 in bytes inside strings and in opening quotes.
		parity := (equal(word, quotes)&^escaped)*ones ^ inside
		folded := word | cases
		closed := equal(folded, closes) &^ parity
		opened := equal(folded, opens) &^ parity
		deep := depth - int(closed*ones>>56)
		if slash&escaped != 0 || deep <= 0 {
			if i, depth, inside = w.slowly(i+int(carried), i+8, depth, inside); depth <= 0 {
				return w.behind(i, depth)
			}
			carried = 0
			continue
		}
		depth = deep + int(opened*ones>>56)
		inside = -(parity >> 56 & 1) & ones
		carried = slash >> 56
		i += 8
	}
	if i, depth, _ = w.slowly(i+int(carried), len(b), depth, inside); depth <= 0 {
		return w.behind(i, depth)
	}
	_ = w.fail(len(b), "")
	return -1
}

func (w *walker) behind(i, depth int) int {
	if depth < 0 || i > len(w.b) {
		_ = w.fail(len(w.b), "")
		return -1
	}
	return i
}

// slowly goes on byte by byte until it is behind to or the value has ended.
func (w *walker) slowly(i, to, depth int, inside uint64) (at, deep int, in uint64) {
	for i < to {
		c := w.b[i]
		i++
		switch {
		case c == '"':
			inside ^= ones
		case inside != 0:
			if c == '\\' {
				i++
			}
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i, 0, 0
			}
		}
	}
	return i, depth, inside
}

func lineEnd(b []byte, i int) int {
	if n := bytes.IndexByte(b[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(b)
}

func blank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }
