package junit

import (
	"bytes"
	"unicode/utf8"
)

func (s *scanner) startTag() token {
	name := s.nameAt(s.i + 1)
	if len(name) == 0 {
		return s.fail(s.i+1, "a name is expected")
	}
	if s.rooted && len(s.open) == 0 {
		return s.fail(s.i, "a second root element stands here")
	}
	if len(s.open) >= s.maxDepth {
		return s.fail(s.i, "it nests too deep")
	}
	s.rooted = true
	s.name = name
	s.open = append(s.open, name)
	s.attributes = s.attributes[:0]
	s.i += 1 + len(name)
	for {
		start := s.i
		s.blanks()
		switch {
		case s.i >= len(s.b):
			return s.fail(s.i, "")
		case s.b[s.i] == '>':
			s.i++
			return tokenOpen
		case s.b[s.i] == '/':
			if s.i+1 >= len(s.b) || s.b[s.i+1] != '>' {
				return s.fail(s.i+1, "> is expected")
			}
			s.i += 2
			s.selfClosed = true
			return tokenOpen
		case start == s.i:
			return s.fail(s.i, "white space is expected before an attribute")
		}
		if !s.attribute() {
			return tokenEnd
		}
	}
}

func (s *scanner) attribute() bool {
	at := s.i
	name := s.nameAt(at)
	if len(name) == 0 {
		s.fail(at, "the name of an attribute is expected")
		return false
	}
	for i := range s.attributes {
		if bytes.Equal(s.attributes[i].name, name) {
			s.fail(at, "this attribute is given twice")
			return false
		}
	}
	s.i += len(name)
	s.blanks()
	if s.i >= len(s.b) || s.b[s.i] != '=' {
		s.fail(s.i, "= is expected")
		return false
	}
	s.i++
	s.blanks()
	if s.i >= len(s.b) || s.b[s.i] != '"' && s.b[s.i] != '\'' {
		s.fail(s.i, "the value of an attribute must stand in quotes")
		return false
	}
	start := s.i + 1
	end, plain := s.value(start, s.b[s.i])
	if end < 0 {
		return false
	}
	s.i = end + 1
	s.attributes = append(s.attributes, attribute{name, s.b[start:end], plain})
	return true
}

// value returns where the quote closes the value that begins at start, and
// whether nothing in it needs to be replaced.
func (s *scanner) value(start int, quote byte) (end int, plain bool) {
	plain = true
	for i := start; i < len(s.b); i++ {
		c := s.b[i]
		if attributeText[c] {
			continue
		}
		switch c {
		case quote:
			return i, plain
		case '"', '\'':
		case '<':
			s.fail(i, "< must not stand in an attribute")
			return -1, false
		case '&':
			plain = false
			if _, size := entity(s.b[i:]); size == 0 {
				s.fail(i, "this entity is not known")
				return -1, false
			}
		default:
			plain = false
		}
	}
	s.fail(len(s.b), "")
	return -1, false
}

// attributeText are the bytes of a value that need no second look.
var attributeText = func() (text [256]bool) {
	for c := range byte(utf8.RuneSelf) {
		text[c] = plainByte(c, false) && c != '"' && c != '\'' && c != '<'
	}
	return text
}()

func (s *scanner) endTag() token {
	name := s.nameAt(s.i + 2)
	n := len(s.open)
	if n == 0 || !bytes.Equal(s.open[n-1], name) {
		return s.fail(s.i, "this end tag does not match the start tag")
	}
	s.i += 2 + len(name)
	s.blanks()
	if s.i >= len(s.b) || s.b[s.i] != '>' {
		return s.fail(s.i, "> is expected")
	}
	s.i++
	return s.closed()
}

func (s *scanner) closed() token {
	n := len(s.open) - 1
	s.name = s.open[n]
	s.open = s.open[:n]
	return tokenClose
}

func (s *scanner) blanks() {
	for s.i < len(s.b) && blank(s.b[s.i]) {
		s.i++
	}
}

// nameAt returns the name at i, or nothing. What is not ASCII is taken for a letter.
func (s *scanner) nameAt(i int) []byte {
	end := i
	for end < len(s.b) && nameByte(s.b[end], end == i) {
		end++
	}
	return s.b[min(i, len(s.b)):end]
}

func nameByte(c byte, first bool) bool {
	switch {
	case c|0x20 >= 'a' && c|0x20 <= 'z', c == '_', c == ':', c >= 0x80:
		return true
	case c >= '0' && c <= '9', c == '-', c == '.':
		return !first
	}
	return false
}
