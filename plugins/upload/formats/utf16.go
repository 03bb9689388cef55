package formats

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// byteOrder marks stand before texts that Windows has written.
const (
	byteOrder8   = "\xef\xbb\xbf"
	littleEndian = "\xff\xfe"
	bigEndian    = "\xfe\xff"
)

// plain returns a text without the byte order mark before it, and how many bytes
// that took. UTF-16 is what PowerShell writes behind > and .NET's XML writers
// into files: it is rewritten as UTF-8, and offsets of errors count that.
func plain(data []byte) (text []byte, mark int) {
	switch {
	case bytes.HasPrefix(data, []byte(byteOrder8)):
		return data[len(byteOrder8):], len(byteOrder8)
	case bytes.HasPrefix(data, []byte(littleEndian)):
		return fromUTF16(data[len(littleEndian):], binary.LittleEndian), len(littleEndian)
	case bytes.HasPrefix(data, []byte(bigEndian)):
		return fromUTF16(data[len(bigEndian):], binary.BigEndian), len(bigEndian)
	}
	return data, 0
}

// fromUTF16 rewrites a text; half characters become U+FFFD.
func fromUTF16(data []byte, order binary.ByteOrder) []byte {
	text := make([]byte, 0, len(data)/2+len(data)/8)
	for len(data) >= 2 {
		r := rune(order.Uint16(data))
		data = data[2:]
		if utf16.IsSurrogate(r) {
			low := rune(utf8.RuneError)
			if len(data) >= 2 {
				low = rune(order.Uint16(data))
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				data = data[2:]
			}
		}
		text = utf8.AppendRune(text, r)
	}
	if len(data) > 0 {
		text = utf8.AppendRune(text, utf8.RuneError)
	}
	return text
}
