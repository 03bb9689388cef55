package decode

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"

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
	// high is set when a string may hold other bytes than ASCII.
	high bool
	// skipped remembers, by depth, the keys of the objects that were passed over.
	skipped [skippedDepths][skippedKeys]memo
}

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
		switch s.b[i] {
		case ' ', '\n', '\r', '\t':
			s.spaced = true
			i++
		default:
			return i
		}
	}
	return i
}

const (
	ones   = 0x0101010101010101
	highs  = 0x8080808080808080
	quotes = 0x2222222222222222
	slants = 0x5c5c5c5c5c5c5c5c
	blanks = 0x2020202020202020
)

// special marks the bytes of a word that end a plain run of a string: a quote, a
// backslash, a control character. Only the lowest mark is exact.
func special(w uint64) uint64 {
	return ((w - blanks) | ((w ^ quotes) - ones) | ((w ^ slants) - ones)) &^ w & highs
}

// plain returns the index of the first byte from i on that is a quote, a
// backslash or a control character, or the end.
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
	b, start := s.b, i
	var passed uint64
	for i+16 <= len(b) {
		words := b[i : i+16 : i+16]
		w := binary.LittleEndian.Uint64(words)
		marks := special(w)
		if marks == 0 {
			passed |= w
			i += 8
			w = binary.LittleEndian.Uint64(words[8:])
			if marks = special(w); marks == 0 {
				passed |= w
				i += 8
				continue
			}
		}
		at := bits.TrailingZeros64(marks) &^ 7
		i += at >> 3
		if (passed|w&(1<<at-1))&highs != 0 {
			s.high = true
		}
		if byte(w>>at) == '"' {
			return i, false
		}
		return s.escapedEnd(i), true
	}
	i = plain(b, i)
	if !ascii(b[min(start, i):i]) {
		s.high = true
	}
	if i < len(b) && b[i] == '"' {
		return i, false
	}
	return s.escapedEnd(i), true
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// escapedEnd goes on at the first special byte of a string.
func (s *scanner) escapedEnd(i int) int {
	b := s.b
	var passed uint64
	for i < len(b) {
		switch c := b[i]; {
		case c == '"':
			if passed&highs != 0 {
				s.high = true
			}
			return i
		case c < ' ':
			return s.fail(i, "a control character stands in a string")
		case c == '\\':
			if i+1 < len(b) && shortEscape[b[i+1]] {
				i += 2
			} else if i = s.escape(i + 1); i < 0 {
				return -1
			}
		}
		for i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			if marks := special(w); marks != 0 {
				at := bits.TrailingZeros64(marks) &^ 7
				passed |= w & (1<<at - 1)
				i += at >> 3
				break
			}
			passed |= w
			i += 8
		}
		if i+8 > len(b) {
			from := i
			if i = plain(b, i); !ascii(b[min(from, i):i]) {
				passed = highs
			}
		}
	}
	return s.fail(i, "")
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
