package decode

import (
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

// A scanner walks JSON. Its methods take the index they begin at and return the
// index behind what they read, or -1 once err is set.
type scanner struct {
	b        []byte
	err      error
	maxDepth int
	// spaced is set when white space was passed: what is kept raw must then be compacted.
	spaced bool
	// lines says that the end of a line is no white space: no value goes over it.
	lines bool
	// high is set when a string may hold other bytes than ASCII.
	high bool
	// skipped remembers, by depth, the members of the objects that were passed over.
	skipped [skippedDepths][skippedKeys]place
	// duration is where the last duration stands that was passed over in an object of the depth timed.
	duration span
	timed    int
}

// span is a part of the body.
type span struct{ from, to int }

// fail notes the first error and returns -1.
func (s *scanner) fail(at int, reason string) int {
	if s.err == nil {
		if at >= len(s.b) {
			at, reason = len(s.b), "it ends too early"
		}
		s.err = &assemble.SyntaxError{Format: "JSON", Offset: at, Reason: reason}
	}
	return -1
}

// at returns the byte at i, or 0 behind the end: 0 is no part of any JSON.
func (s *scanner) at(i int) byte {
	if uint(i) < uint(len(s.b)) {
		return s.b[i]
	}
	return 0
}

// space returns the index of the next byte that is no white space.
func (s *scanner) space(i int) int {
	if uint(i) < uint(len(s.b)) && s.b[i] > ' ' {
		return i
	}
	return s.someSpace(i)
}

func (s *scanner) someSpace(i int) int {
	for i < len(s.b) {
		switch c := s.b[i]; {
		case c == '\n' && s.lines:
			return i
		case c == ' ' || c == '\n' || c == '\r' || c == '\t':
			s.spaced = true
			i++
		default:
			return i
		}
	}
	return i
}

// open passes the opening byte at i: it returns the index of the first member
// or element, or the index behind the closing byte and false.
func (s *scanner) open(i int, closing byte) (next int, more bool) {
	if i = s.space(i + 1); s.at(i) == closing {
		return i + 1, false
	}
	return i, true
}

// comma stands behind a member or an element: it returns the index of the next
// one, or the index behind the closing byte and false.
func (s *scanner) comma(i int, closing byte) (next int, more bool) {
	if b := s.b; uint(i+1) < uint(len(b)) && b[i] == ',' && b[i+1] > ' ' {
		return i + 1, true
	}
	return s.commaOrEnd(i, closing)
}

func (s *scanner) commaOrEnd(i int, closing byte) (next int, more bool) {
	i = s.space(i)
	switch s.at(i) {
	case ',':
		return s.space(i + 1), true
	case closing:
		return i + 1, false
	}
	if closing == '}' {
		return s.fail(i, "a comma or } is expected"), false
	}
	return s.fail(i, "a comma or ] is expected"), false
}

// colon stands behind a key and returns the index of its value.
func (s *scanner) colon(i int) int {
	if s.at(i) == ':' {
		return s.space(i + 1)
	}
	if i = s.space(i); s.at(i) != ':' {
		return s.fail(i, "a colon is expected")
	}
	return s.space(i + 1)
}
