package decode

import (
	"encoding/binary"
	"math/bits"
)

const (
	ones   = 0x0101010101010101
	highs  = 0x8080808080808080
	slants = 0x5c5c5c5c5c5c5c5c
	// twos turn a quote into a blank, and leave the control characters below it.
	twos  = 0x0202020202020202
	above = 0x2121212121212121
)

// special marks the bytes of a word that end a plain run of a string: a quote, a
// backslash, a control character. Only the lowest mark is exact.
func special(w uint64) uint64 {
	return (((w ^ twos) - above) | ((w ^ slants) - ones)) &^ w & highs
}

// odd is special that marks what is no ASCII too.
func odd(w uint64) uint64 {
	return (((w ^ twos) - above) | ((w ^ slants) - ones) | w) & highs
}

// near is regular that looks at the next bytes alone: it returns where they end
// when there is nothing among them.
func near(b []byte, i int) int {
	if wide && i+lookBytes <= len(b) {
		i += bits.TrailingZeros64(oddWide((*[lookBytes]byte)(b[i:])))
	}
	return i
}

// regular returns the index of the first byte from i on that is a quote, a
// backslash, a control character or no ASCII, or the end.
func regular(b []byte, i int) int {
	for wide && i+lookBytes <= len(b) {
		n := bits.TrailingZeros64(oddWide((*[lookBytes]byte)(b[i:])))
		if i += n; n < lookBytes {
			return i
		}
	}
	return regularWords(b, i)
}

// regularWords is regular, 16 bytes at a time.
func regularWords(b []byte, i int) int {
	for i+16 <= len(b) {
		words := b[i : i+16 : i+16]
		first := odd(binary.LittleEndian.Uint64(words))
		second := odd(binary.LittleEndian.Uint64(words[8:]))
		if first|second != 0 {
			if first == 0 {
				first = second
				i += 8
			}
			return i + bits.TrailingZeros64(first)>>3
		}
		i += 16
	}
	for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' && b[i] < 0x80 {
		i++
	}
	return i
}

// plain is regular that passes over what is no ASCII.
func plain(b []byte, i int) int {
	for i+8 <= len(b) {
		if marks := special(binary.LittleEndian.Uint64(b[i:])); marks != 0 {
			return i + bits.TrailingZeros64(marks)>>3
		}
		i += 8
	}
	for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// stringEnd returns the index of the quote that closes the string whose opening
// quote stands before i, and whether the string has escapes.
func (s *scanner) stringEnd(i int) (end int, escaped bool) {
	if i = regular(s.b, i); i < len(s.b) && s.b[i] == '"' {
		return i, false
	}
	return s.oddEnd(i)
}

// oddEnd goes on at the first byte of a string that is not regular.
func (s *scanner) oddEnd(i int) (end int, escaped bool) {
	b := s.b
	for i < len(b) {
		switch c := b[i]; {
		case c == '"':
			return i, escaped
		case c >= ' ' && c != '\\' && c < 0x80:
			i = regular(b, i)
		case c < ' ':
			return s.fail(i, "a control character stands in a string"), false
		case c == '\\':
			escaped = true
			if wide && i+lookBytes <= len(b) {
				if n := bits.TrailingZeros64(escapesWide((*[lookBytes]byte)(b[i:]))); n > 0 {
					i += n
					continue
				}
			}
			if i+1 < len(b) && shortEscape[b[i+1]] {
				i += 2
			} else if i = s.escape(i + 1); i < 0 {
				return -1, false
			}
			if s.high {
				i = plain(b, i)
			} else {
				i = regular(b, i)
			}
		default:
			s.high = true
			i = plain(b, i)
		}
	}
	return s.fail(i, ""), false
}

// shortEscape are the bytes that stand behind a backslash alone.
var shortEscape = [256]bool{'"': true, '\\': true, '/': true, 'b': true, 'f': true, 'n': true, 'r': true, 't': true}

// escape checks what stands behind a backslash.
func (s *scanner) escape(i int) int {
	switch c := s.at(i); {
	case shortEscape[c]:
		return i + 1
	case c == 'u':
		for at := i + 1; at < i+5; at++ {
			if !hexadecimal(s.at(at)) {
				return s.fail(at, "\\u must be followed by four hexadecimal digits")
			}
		}
		return i + 5
	}
	return s.fail(i, "this escape does not exist")
}

func hexadecimal(c byte) bool {
	return c-'0' < 10 || c|0x20-'a' < 6
}
