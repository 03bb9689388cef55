package formats

import (
	"bytes"

	"golang.org/x/text/encoding/unicode"
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
		return fromUTF16(data[len(littleEndian):], unicode.LittleEndian), len(littleEndian)
	case bytes.HasPrefix(data, []byte(bigEndian)):
		return fromUTF16(data[len(bigEndian):], unicode.BigEndian), len(bigEndian)
	}
	return data, 0
}

// fromUTF16 rewrites a text; half characters become U+FFFD.
func fromUTF16(data []byte, order unicode.Endianness) []byte {
	text, _ := unicode.UTF16(order, unicode.IgnoreBOM).NewDecoder().Bytes(data) // It replaces what is broken, and has no error.
	return text
}
