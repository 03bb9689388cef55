package junit

import (
	"bytes"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
)

// declarationBytes is how far the XML declaration is looked for.
const declarationBytes = 200

// decoded returns the document as UTF-8, and where it begins behind a byte order
// mark. A document whose declaration names another encoding is rewritten, and
// errors count the bytes of the rewritten text; an encoding nobody knows is taken
// for UTF-8.
func decoded(body []byte) (text []byte, offset int) {
	if has(body, "\xef\xbb\xbf") {
		offset = 3
	}
	if other := declared(body[offset:min(len(body), offset+declarationBytes)]); other != nil {
		if text, err := other.NewDecoder().Bytes(body[offset:]); err == nil {
			return text, 0
		}
	}
	return body, offset
}

// declared is the encoding that the XML declaration names, nil for UTF-8 and for
// none. Names that say UTF-16 stand before texts in UTF-8 as well (.NET writes the
// declaration of a string): what really is UTF-16 has been rewritten before.
func declared(start []byte) encoding.Encoding {
	if !has(start, "<?xml") {
		return nil
	}
	declaration, _, ok := bytes.Cut(start, []byte("?>"))
	if !ok {
		return nil
	}
	_, value, ok := bytes.Cut(declaration, []byte("encoding"))
	if !ok {
		return nil
	}
	value = bytes.TrimLeft(value, " \t\r\n=")
	if len(value) == 0 {
		return nil
	}
	name, _, _ := bytes.Cut(value[1:], value[:1])
	found, err := htmlindex.Get(string(name))
	if err != nil {
		return nil
	}
	switch canonical, _ := htmlindex.Name(found); canonical {
	case "utf-8", "utf-16le", "utf-16be", "iso-2022-jp", "replacement", "x-user-defined":
		return nil // markup is not where ASCII has it, or nothing is to be done
	}
	return found
}
