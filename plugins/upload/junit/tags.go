package junit

import "bytes"

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
	length := bytes.IndexByte(s.b[start:], s.b[s.i])
	if length < 0 {
		s.fail(len(s.b), "")
		return false
	}
	value := s.b[start : start+length]
	if bad := bytes.IndexByte(value, '<'); bad >= 0 {
		s.fail(start+bad, "< must not stand in an attribute")
		return false
	}
	if bad := badEntity(value); bad >= 0 {
		s.fail(start+bad, "this entity is not known")
		return false
	}
	s.i = start + length + 1
	s.attributes = append(s.attributes, attribute{name, value})
	return true
}

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
