package decode

import (
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// view is the string that aliases b.
func view(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// arenaBytes is how much room for unescaped text is allocated at once.
const arenaBytes = 8 << 10

// arena holds texts that could not alias the body.
type arena struct{ free []byte }

// room returns an empty slice with room for most bytes. Whoever appends a text to
// it gives it to keep; without that the room is used again.
func (a *arena) room(most int) []byte {
	if cap(a.free)-len(a.free) < most {
		a.free = make([]byte, 0, max(arenaBytes, most))
	}
	return a.free[len(a.free):]
}

// keep makes a string of a text that was appended to the slice of the last room.
func (a *arena) keep(text []byte) string {
	a.free = text[len(text):]
	return view(text)
}

// unescape returns the text of a checked string. It is never longer than the
// string was.
func (a *arena) unescape(raw []byte) string {
	text := a.room(len(raw))
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			end := plain(raw, i)
			text = append(text, raw[i:end]...)
			i = end
			continue
		}
		if raw[i+1] == 'u' {
			var r rune
			r, i = unescapeRune(raw, i)
			text = utf8.AppendRune(text, r)
			continue
		}
		text = append(text, unescaped(raw[i+1]))
		i += 2
	}
	return a.keep(text)
}

func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// unescapeRune reads \uXXXX, and joins it with a second one when both are a
// surrogate pair; half a pair is U+FFFD.
func unescapeRune(raw []byte, i int) (rune, int) {
	r := hexRune(raw[i+2 : i+6])
	i += 6
	if !utf16.IsSurrogate(r) {
		return r, i
	}
	if i+6 <= len(raw) && raw[i] == '\\' && raw[i+1] == 'u' {
		if joined := utf16.DecodeRune(r, hexRune(raw[i+2:i+6])); joined != utf8.RuneError {
			return joined, i + 6
		}
	}
	return utf8.RuneError, i
}

func hexRune(digits []byte) (r rune) {
	for _, c := range digits {
		if c <= '9' {
			c -= '0'
		} else {
			c = c | 0x20 - 'a' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
}

// compact returns checked JSON without the white space between its tokens.
func (a *arena) compact(raw []byte) string {
	text := a.room(len(raw))
	for i := 0; i < len(raw); {
		switch c := raw[i]; c {
		case ' ', '\n', '\r', '\t':
			i++
		case '"':
			end := i + 1
			for end = plain(raw, end); raw[end] != '"'; end = plain(raw, end) {
				end += 2
			}
			text = append(text, raw[i:end+1]...)
			i = end + 1
		default:
			text = append(text, c)
			i++
		}
	}
	return a.keep(text)
}

// valid is text that was read, with each byte that is no UTF-8 replaced by
// U+FFFD, as encoding/json does.
func valid(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	replaced := make([]byte, 0, len(text)+64)
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		replaced = utf8.AppendRune(replaced, r)
		text = text[size:]
	}
	return view(replaced)
}
