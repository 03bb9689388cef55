package decode

import "math/bits"

// pass passes over a value of which nobody reads anything. Of an object or an
// array it checks no more than that quotes and brackets come in pairs and how deep
// they nest; anything else it checks as skip does.
func (s *scanner) pass(i, depth int) int {
	if c := s.at(i); c != '{' && c != '[' {
		return s.skip(i, depth)
	}
	if depth >= s.maxDepth {
		return s.fail(i, "it nests too deep")
	}
	if wide {
		return s.passWide(i, depth)
	}
	return s.passBytes(i, depth)
}

// passBytes is pass for the object or the array at i.
func (s *scanner) passBytes(i, depth int) int {
	for open := 0; i < len(s.b); i++ {
		switch s.b[i] {
		case '"':
			i = s.passString(i + 1)
		case '\\':
			return s.fail(i, "a backslash stands outside of a string")
		case '{', '[':
			if open++; depth+open > s.maxDepth {
				return s.fail(i, "it nests too deep")
			}
		case '}', ']':
			if open--; open == 0 {
				return i + 1
			}
		}
	}
	return s.fail(len(s.b), "")
}

// passString returns the index of the quote that closes the string that began
// before i, or the end.
func (s *scanner) passString(i int) int {
	for i = plain(s.b, i); i < len(s.b) && s.b[i] != '"'; i = plain(s.b, i) {
		if s.b[i] == '\\' {
			i++
		}
		i = min(i+1, len(s.b))
	}
	return i
}

// passWide is passBytes, 64 bytes at a time. What is no simple matter it leaves to
// the other: the end of the body, errors, great depth.
func (s *scanner) passWide(start, depth int) int {
	open := 1
	var within, carried uint64 // All bits: the part begins in a string. 1: its first byte is escaped.
	for i := start + 1; i+lookBytes <= len(s.b); i += lookBytes {
		quotes, slashes, opening, closing := bracketsWide((*[lookBytes]byte)(s.b[i:]))
		if opening|closing|slashes|carried == 0 {
			within ^= -uint64(bits.OnesCount64(quotes) & 1)
			continue
		}
		if slashes|carried != 0 {
			follows := escaped(slashes&^carried) | carried
			carried = slashes &^ follows >> (lookBytes - 1)
			quotes &^= follows
		}
		strings := between(quotes) ^ within
		within = uint64(int64(strings) >> (lookBytes - 1))
		opening &^= strings
		closing &^= strings
		deeper := bits.OnesCount64(opening)
		if slashes&^strings != 0 || depth+open+deeper > s.maxDepth {
			break
		}
		if left := bits.OnesCount64(closing); left < open {
			open += deeper - left
			continue
		}
		for ; closing != 0; closing &= closing - 1 {
			n := bits.TrailingZeros64(closing)
			before := bits.OnesCount64(opening & (1<<n - 1))
			if open--; open+before == 0 {
				return i + n + 1
			}
		}
		open += deeper
	}
	return s.passBytes(start, depth)
}

// between sets the bits from each opening quote to the one before its closing
// quote: those at or behind an odd number of quotes. Each step takes in twice as
// many bits as the step before, so six are enough.
func between(quotes uint64) uint64 {
	for shift := 1; shift < 64; shift *= 2 {
		quotes ^= quotes << shift
	}
	return quotes
}
