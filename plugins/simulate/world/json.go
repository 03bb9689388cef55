package world

import (
	"strconv"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendString writes a JSON string.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			continue
		}
		if c >= utf8.RuneSelf {
			continue
		}
		dst = append(dst, s[from:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		from = i + 1
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// appendField writes ,"key":"value" with the given separators before and between.
func appendField(dst []byte, before, key, between, value string) []byte {
	dst = append(dst, before...)
	dst = append(dst, '"')
	dst = append(dst, key...)
	dst = append(dst, '"')
	dst = append(dst, between...)
	return appendString(dst, value)
}

// appendSeconds writes a duration in seconds with microseconds.
func appendSeconds(dst []byte, seconds float64) []byte {
	micros := int64(seconds*1e6 + 0.5)
	dst = strconv.AppendInt(dst, micros/1e6, 10)
	fraction := micros % 1e6
	dst = append(dst, '.')
	for unit := int64(100_000); unit > 0; unit /= 10 {
		dst = append(dst, byte('0'+fraction/unit%10))
	}
	return dst
}

// appendUUID writes a random UUID (version 4).
func appendUUID(dst []byte, d *dice) []byte {
	a, b := d.bits(), d.bits()
	a = a&^0xf000 | 0x4000
	b = b&^(3<<62) | 2<<62
	dst = appendHex(dst, a, 60, 32)
	dst = append(dst, '-')
	dst = appendHex(dst, a, 28, 16)
	dst = append(dst, '-')
	dst = appendHex(dst, a, 12, 0)
	dst = append(dst, '-')
	dst = appendHex(dst, b, 60, 48)
	dst = append(dst, '-')
	return appendHex(dst, b, 44, 0)
}

func appendHex(dst []byte, v uint64, from, to int) []byte {
	for shift := from; shift >= to; shift -= 4 {
		dst = append(dst, hexDigits[v>>uint(shift)&15])
	}
	return dst
}
