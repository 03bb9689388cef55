package decode

import (
	"encoding/binary"
	"math/bits"
)

const (
	skippedDepths = 8
	skippedKeys   = 12
	// mostTries is how often a place's key is learned anew: where it is another each time, that is no help.
	mostTries = 32
)

// skip passes over a value and checks all of it.
func (s *scanner) skip(i, depth int) int {
	switch c := s.at(i); c {
	case '"':
		end, _ := s.stringEnd(i + 1)
		if end < 0 {
			return -1
		}
		return end + 1
	case '{':
		if s.at(i+1) == '}' && depth < s.maxDepth {
			return i + 2
		}
		return s.skipObject(i, depth+1)
	case '[':
		if s.at(i+1) == ']' && depth < s.maxDepth {
			return i + 2
		}
		return s.skipArray(i, depth+1)
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		if i+4 <= len(s.b) && string(s.b[i:i+4]) == "null" {
			return i + 4
		}
		return s.literal(i, "null")
	}
	return s.number(i)
}

func (s *scanner) literal(i int, word string) int {
	if len(s.b)-i >= len(word) && string(s.b[i:i+len(word)]) == word {
		return i + len(word)
	}
	return s.fail(i, "a value is expected")
}

func (s *scanner) skipObject(i, depth int) int {
	if depth > s.maxDepth {
		return s.fail(i, "it nests too deep")
	}
	memos := &s.skipped[min(depth, len(s.skipped)-1)]
	i, more := s.open(i, '}')
	for n := 0; more; n++ {
		var value int
		if n < len(memos) && memos[n].size > 0 && memos[n].matches(s.b, i) {
			if value = i + memos[n].size; memos[n].spaced || s.at(value) <= ' ' {
				s.spaced = true
				value = s.space(value)
			}
		} else if value = s.skipKey(i, n, memos); value < 0 {
			return -1
		}
		if s.at(value) != '"' {
			i = s.skip(value, depth)
		} else if i = regular(s.b, value+1); s.at(i) == '"' {
			i++
		} else {
			i = s.skip(value, depth)
		}
		if i < 0 {
			return -1
		}
		if i+1 < len(s.b) && s.b[i] == ',' && s.b[i+1] == '"' {
			i++
			continue
		}
		i, more = s.commaOrEnd(i, '}')
	}
	return i
}

// skipKey passes over a key and its colon, and remembers it for the next object of the depth.
func (s *scanner) skipKey(i, n int, memos *[skippedKeys]memo) int {
	if s.at(i) != '"' {
		return s.fail(i, "a key in quotes is expected")
	}
	end, _ := s.stringEnd(i + 1)
	if end < 0 {
		return -1
	}
	value := s.colon(end + 1)
	if value >= 0 && n < len(memos) && memos[n].tries < mostTries {
		tries := memos[n].tries
		memos[n].learn(s.b[i:value], fieldUnknown)
		memos[n].tries = tries + 1
	}
	return value
}

func (s *scanner) skipArray(i, depth int) int {
	if depth > s.maxDepth {
		return s.fail(i, "it nests too deep")
	}
	i, more := s.open(i, ']')
	for more {
		if i = s.skip(i, depth); i < 0 {
			return -1
		}
		i, more = s.comma(i, ']')
	}
	return i
}

// number passes over a number, in the grammar of RFC 8259.
func (s *scanner) number(i int) int {
	if s.at(i) == '-' {
		i++
	}
	switch c := s.at(i); {
	case c == '0':
		i++
	case c-'1' < 9:
		i = digits(s.b, i+1)
	default:
		return s.fail(i, "a value is expected")
	}
	if s.at(i) == '.' {
		if s.at(i+1)-'0' > 9 {
			return s.fail(i+1, "a digit is expected")
		}
		i = digits(s.b, i+2)
	}
	if s.at(i)|0x20 == 'e' {
		i++
		if c := s.at(i); c == '+' || c == '-' {
			i++
		}
		if s.at(i)-'0' > 9 {
			return s.fail(i, "a digit is expected")
		}
		i = digits(s.b, i+1)
	}
	return i
}

// digits passes over digits, eight at a time where they are many.
func digits(b []byte, i int) int {
	for i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:]) ^ 0x3030303030303030
		if marks := (w + 0x7676767676767676 | w) & highs; marks != 0 {
			return i + bits.TrailingZeros64(marks)>>3
		}
		i += 8
	}
	for i < len(b) && b[i]-'0' < 10 {
		i++
	}
	return i
}
