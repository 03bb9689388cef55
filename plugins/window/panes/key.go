package panes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/connect-testengine/connect-testengine/plugins/window/events"
)

// ErrKey is wrapped for a part of a key that cannot be one.
var ErrKey = errors.New("a part of a key is text, a finite number or a truth value")

// AppendKeyPart adds a part to a key. A field that is missing is null.
func AppendKeyPart(key []byte, v *events.Value) ([]byte, error) {
	if v.Kind == events.Nested || v.Kind == events.Number && !v.Finite() {
		return key, fmt.Errorf("it is %s: %w", v.Kind, ErrKey)
	}
	kind := v.Kind
	if v.Absent() {
		kind = events.Null
	}
	key = append(key, byte(kind))
	if v.Kind == events.Text || v.Kind == events.Bool || len(v.Text) > 0 {
		key = binary.AppendUvarint(key, uint64(len(v.Text)))
		return append(key, v.Text...), nil
	}
	var room [32]byte
	text := v.AppendText(room[:0])
	key = binary.AppendUvarint(key, uint64(len(text)))
	return append(key, text...), nil
}

// nextPart cuts a part off a key that AppendKeyPart wrote.
func nextPart(key []byte) (kind events.Kind, text, rest []byte) {
	kind = events.Kind(key[0])
	n, used := binary.Uvarint(key[1:])
	key = key[1+used:]
	return kind, key[:n], key[n:]
}

// appendKey writes a key as a JSON object.
func appendKey(b []byte, names []string, key []byte) []byte {
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, name), ':')
		var kind events.Kind
		var text []byte
		kind, text, key = nextPart(key)
		switch kind {
		case events.Text:
			b = appendText(b, text)
		case events.Number, events.Bool:
			b = append(b, text...)
		default:
			b = append(b, "null"...)
		}
	}
	return append(b, '}')
}

const hexDigits = "0123456789abcdef"

// appendText writes a JSON string; what is no UTF-8 becomes U+FFFD.
func appendText[T string | []byte](b []byte, text T) []byte {
	b = append(b, '"')
	for i := 0; i < len(text); {
		c := text[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(string(text[i:min(len(text), i+utf8.UTFMax)]))
			b = utf8.AppendRune(b, r)
			i += size
			continue
		}
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
		i++
	}
	return append(b, '"')
}
