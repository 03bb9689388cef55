package junit

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// wellFormed is what encoding/xml thinks of a document's tags. Characters that
// XML forbids, its rules of names, name spaces and the XML declaration are left
// out of the comparison: we take more there, on purpose.
func wellFormed(body string) bool {
	decoder := xml.NewDecoder(strings.NewReader(body))
	decoder.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	for {
		_, err := decoder.RawToken()
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			var syntax *xml.SyntaxError
			return !errors.As(err, &syntax) || lenient(syntax.Msg)
		}
	}
}

func lenient(message string) bool {
	for _, allowed := range []string{
		"illegal character code", "invalid UTF-8", "invalid XML name", "expected element name", "unsupported version", "not allowed in comments", "invalid character entity",
		"expected attribute name", "expected target name", "]]> not in CDATA", "invalid characters between",
	} {
		if strings.Contains(message, allowed) {
			return true
		}
	}
	return false
}
