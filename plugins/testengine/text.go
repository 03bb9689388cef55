package testengine

import (
	"strings"
	"unicode/utf8"
)

// CutText is the beginning of a text, at most that many bytes, ending with a whole
// character: a copy, so that it keeps nothing else alive.
func CutText(text string, most int) string {
	if len(text) > most {
		for most > 0 && !utf8.RuneStart(text[most]) {
			most--
		}
		text = text[:most]
	}
	return strings.Clone(text)
}
