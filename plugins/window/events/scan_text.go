package events

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
	"unsafe"
)

// text reads a string. Without an escape it is a view of the message.
func (s *Scanner) text() (string, error) {
	if s.at >= len(s.data) || s.data[s.at] != '"' {
		return "", ErrSyntax
	}
	start := s.at + 1
	s.at = textEnd(s.data, start)
	switch {
	case s.at == len(s.data):
		return "", ErrSyntax
	case s.data[s.at] == '\\':
		return s.escaped(start)
	}
	s.at++
	return view(s.data[start : s.at-1]), nil
}

// textEnd is the place of the first quote or backslash from at on, or the end.
func textEnd(data []byte, at int) int {
	const ones, tops, quotes, slashes = 0x0101010101010101, 0x8080808080808080, '"' * 0x0101010101010101, '\\' * 0x0101010101010101
	for ; at+8 <= len(data); at += 8 {
		word := binary.LittleEndian.Uint64(data[at:])
		quote, slash := word^quotes, word^slashes
		// The lowest byte that is 0 has the lowest bit that is set.
		if found := ((quote-ones)&^quote | (slash-ones)&^slash) & tops; found != 0 {
			return at + bits.TrailingZeros64(found)/8
		}
	}
	for ; at < len(data) && data[at] != '"' && data[at] != '\\'; at++ {
		continue
	}
	return at
}

// escaped copies a string with escapes to the scratch, whose earlier texts stay.
func (s *Scanner) escaped(start int) (string, error) {
	begin := len(s.scratch)
	s.scratch = append(s.scratch, s.data[start:s.at]...)
	for s.at < len(s.data) {
		c := s.data[s.at]
		s.at++
		switch c {
		case '"':
			return view(s.scratch[begin:]), nil
		case '\\':
			if err := s.escape(); err != nil {
				return "", err
			}
		default:
			s.scratch = append(s.scratch, c)
		}
	}
	return "", ErrSyntax
}

func (s *Scanner) escape() error {
	if s.at == len(s.data) {
		return ErrSyntax
	}
	c := s.data[s.at]
	s.at++
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		r, ok := s.hex()
		if !ok {
			return ErrSyntax
		}
		if low := r >= 0xd800 && r < 0xdc00; low && bytes.HasPrefix(s.data[s.at:], []byte(`\u`)) {
			s.at += 2
			second, ok := s.hex()
			if !ok {
				return ErrSyntax
			}
			if second >= 0xdc00 && second < 0xe000 {
				r = (r-0xd800)<<10 | (second - 0xdc00) + 0x10000
			} else {
				s.at -= 6
			}
		}
		s.scratch = utf8.AppendRune(s.scratch, r)
		return nil
	default:
		return ErrSyntax
	}
	s.scratch = append(s.scratch, c)
	return nil
}

func (s *Scanner) hex() (r rune, ok bool) {
	if len(s.data)-s.at < 4 {
		return 0, false
	}
	for _, c := range s.data[s.at : s.at+4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	s.at += 4
	return r, true
}

// view reads bytes as text without a copy: messages are not written to.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
