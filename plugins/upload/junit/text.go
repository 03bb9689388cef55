package junit

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// badEntity returns where a reference stands that is neither one of XML's five
// entities nor the number of a character, or -1.
func badEntity(text []byte) int {
	for from := 0; ; {
		at := bytes.IndexByte(text[from:], '&')
		if at < 0 {
			return -1
		}
		at += from
		_, size := entity(text[at:])
		if size == 0 {
			return at
		}
		from = at + size
	}
}

// maxEntity is the length of &#x10FFFF; with some zeros before it.
const maxEntity = 16

// entity returns the character that text begins with the reference to, and the
// length of the reference, 0 when it is none.
func entity(text []byte) (r rune, size int) {
	end := bytes.IndexByte(text[:min(len(text), maxEntity)], ';')
	if end < 2 || text[0] != '&' {
		return 0, 0
	}
	switch name := string(text[1:end]); name {
	case "lt":
		return '<', end + 1
	case "gt":
		return '>', end + 1
	case "amp":
		return '&', end + 1
	case "apos":
		return '\'', end + 1
	case "quot":
		return '"', end + 1
	default:
		if name[0] != '#' {
			return 0, 0
		}
		digits, base := name[1:], 10
		if strings.HasPrefix(digits, "x") {
			digits, base = digits[1:], 16
		}
		number, err := strconv.ParseUint(digits, base, 32)
		if err != nil || number > utf8.MaxRune {
			return 0, 0
		}
		return cleanRune(rune(number)), end + 1
	}
}

// cleanRune replaces what XML does not allow as a character.
func cleanRune(r rune) rune {
	if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r >= 0xd800 && r < 0xe000 || r == 0xfffe || r == 0xffff {
		return utf8.RuneError
	}
	return r
}

// plainText returns the text with its entities replaced; raw text has none. It
// aliases the body where nothing needs to be replaced. Bytes that are no
// character of XML (test output is full of them) become U+FFFD.
func plainText(text []byte, raw bool) string {
	if clean(text, raw) {
		return unsafe.String(unsafe.SliceData(text), len(text))
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		run := i
		for i < len(text) && plainByte(text[i], raw) {
			i++
		}
		out = append(out, text[run:i]...)
		if i == len(text) {
			break
		}
		r, size := entity(text[i:])
		if raw || size == 0 {
			r, size = utf8.DecodeRune(text[i:])
		}
		i += size
		if r == '\r' && text[i-1] == '\r' {
			if i < len(text) && text[i] == '\n' {
				continue
			}
			r = '\n'
		}
		out = utf8.AppendRune(out, cleanRune(r))
	}
	return unsafe.String(unsafe.SliceData(out), len(out))
}

// plainByte is a byte that stays as it is.
func plainByte(c byte, raw bool) bool {
	return c >= ' ' && c < utf8.RuneSelf && (raw || c != '&') || c == '\n' || c == '\t'
}

func clean(text []byte, raw bool) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf || c < ' ' && c != '\n' && c != '\t' || c == '&' && !raw {
			return c >= utf8.RuneSelf && utf8.Valid(text) && cleanASCII(text, raw)
		}
	}
	return true
}

func cleanASCII(text []byte, raw bool) bool {
	for _, c := range text {
		if c < ' ' && c != '\n' && c != '\t' || c == '&' && !raw {
			return false
		}
	}
	return true
}
