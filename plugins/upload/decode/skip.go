package decode

import (
	"encoding/binary"
	"math/bits"
)

const (
	skippedDepths = 8
	skippedKeys   = 12
)

// skip passes over a value and checks all of it.
func (s *scanner) skip(i, depth int) int {
	switch c := s.at(i); c {
	case '"':
		if end := near(s.b, i+1); s.at(end) == '"' {
			return end + 1
		}
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
	places := &s.skipped[min(depth, len(s.skipped)-1)]
	i, more := s.open(i, '}')
	for n := 0; more; n++ {
		p := &places[min(n, len(places)-1)]
		same := alike(s.b, i, &p.text)
		if p.again(same) {
			p.proved = true
			if p.spaced {
				s.spaced = true
			}
			if i += int(p.member); p.last {
				return i
			}
			i = s.space(i)
			continue
		}
		from, f, value := i, p.field, i+int(p.key)
		if p.named(same) {
			if p.spaced {
				s.spaced = true
			}
			value = s.space(value)
		} else if f, value = s.skipKey(i, p); value < 0 {
			return -1
		}
		var end int
		if s.at(value)-'0' < 10 { // As most values are that are not remembered.
			end = s.number(value)
		} else {
			end = s.skip(value, depth)
		}
		if end < 0 {
			return -1
		}
		if end+1 < len(s.b) && s.b[end] == ',' && s.b[end+1] == '"' {
			i = end + 1
		} else if i, more = s.commaOrEnd(end, '}'); i < 0 {
			return -1
		}
		if f == fieldDuration {
			if depth == s.timed {
				s.duration = span{value, end}
			}
		} else if p.learns() && depth < len(s.skipped)-1 {
			p.learnMember(s.b, from, value, end, i)
		}
	}
	return i
}

// skipKey passes over a key and its colon, and remembers it for the next object of the depth.
func (s *scanner) skipKey(i int, p *place) (field, int) {
	key, value := s.rawKey(i)
	if value < 0 {
		return fieldUnknown, -1
	}
	f := historyField(string(key))
	if p.tries < mostTries {
		p.learnKey(s.b[i:value], f)
	}
	return f, value
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
	if !wide || i+lookBytes > len(s.b) {
		return s.anyNumber(i)
	}
	// Most are digits, or digits, a point and digits.
	ends := noDigitsWide((*[lookBytes]byte)(s.b[i:]))
	n := bits.TrailingZeros64(ends)
	if n == 0 || n == lookBytes || s.b[i] == '0' && n > 1 {
		return s.anyNumber(i)
	}
	if s.b[i+n] == '.' {
		point := n
		n = bits.TrailingZeros64(ends & (ends - 1))
		if n == point+1 || n == lookBytes {
			return s.anyNumber(i)
		}
	}
	if s.b[i+n]|0x20 == 'e' {
		return s.anyNumber(i)
	}
	return i + n
}

func (s *scanner) anyNumber(i int) int {
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
