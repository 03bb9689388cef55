package query

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Match is how a term compares.
type Match uint8

// The ways to match.
const (
	MatchIs     Match = iota // key:value
	MatchPrefix              // key:value*
	// MatchAny keeps groups with at least one such execution (result:~failed).
	MatchAny
	// MatchOnly keeps groups whose executions are all such (result:^failed).
	MatchOnly
)

// Term is one condition of a filter. Not turns it round (key:!value).
type Term struct {
	Key   string
	Value string
	Match Match
	Not   bool
}

// Filter is a list of terms. Terms with different keys must all hold. Of one
// key's terms, the positive ones are alternatives and the negated ones must all
// hold. MatchAny and MatchOnly speak about groups (a slice's row, a list's
// test) after the other terms have picked the executions. An execution without
// the tag has the value "".
type Filter []Term

// MaxTerms is the greatest number of terms of a filter.
const MaxTerms = 32

// FilterError says where a filter is wrong. Position counts bytes from 0.
type FilterError struct {
	Field    string
	Position int
	Reason   string
}

// Error names the field and the place.
func (e *FilterError) Error() string {
	return fmt.Sprintf("%s, character %d: %s", e.Field, e.Position+1, e.Reason)
}

// ParseFilter reads a comma list of key:value, key:!value, key:value* and, for
// the key result, result:~failed and result:^failed. A backslash takes the
// meaning from the next character (\, \* \! \~ \^ \\). field is the name under
// which the text was sent, for the error.
func ParseFilter(field, text string) (Filter, error) {
	if !utf8.ValidString(text) {
		return nil, &FilterError{field, 0, "it is not valid UTF-8"}
	}
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var filter Filter
	for start := 0; start <= len(text); {
		end := termEnd(text, start)
		term, err := parseTerm(field, text[start:end], start)
		if err != nil {
			return nil, err
		}
		if len(filter) == MaxTerms {
			return nil, &FilterError{field, start, fmt.Sprintf("at most %d terms", MaxTerms)}
		}
		filter = append(filter, term)
		start = end + 1
	}
	return filter, nil
}

// termEnd is the place of the comma that ends the term at start, or the end of the text.
func termEnd(text string, start int) int {
	for i := start; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case ',':
			return i
		}
	}
	return len(text)
}

func parseTerm(field, text string, at int) (Term, error) {
	trimmed := strings.TrimLeft(text, " ")
	at += len(text) - len(trimmed)
	key, raw, found := strings.Cut(trimmed, ":")
	if !found {
		return Term{}, &FilterError{field, at, fmt.Sprintf("%q has no colon; write key:value", trimmed)}
	}
	if reason := badKey(key); reason != "" {
		return Term{}, &FilterError{field, at, reason}
	}
	if key == KeyDay || key == KeyHour {
		return Term{}, &FilterError{field, at, key + " can only be grouped by; use period or the timestamps"}
	}
	term := Term{Key: key}
	raw = trimRight(raw)
	value := strings.TrimLeft(raw, " ")
	valueAt := at + len(key) + 1 + len(raw) - len(value)
	raw = value
	if strings.HasPrefix(raw, "!") {
		term.Not, raw, valueAt = true, raw[1:], valueAt+1
	}
	if key == KeyResult && raw != "" && (raw[0] == '~' || raw[0] == '^') {
		term.Match = MatchAny
		if raw[0] == '^' {
			term.Match = MatchOnly
		}
		raw, valueAt = raw[1:], valueAt+1
	}
	text, star, err := unescape(field, raw, valueAt)
	if err != nil {
		return Term{}, err
	}
	if star {
		if term.Match != MatchIs {
			return Term{}, &FilterError{field, valueAt, "~ and ^ take a whole result, not the start of one"}
		}
		term.Match = MatchPrefix
	}
	term.Value = text
	return term, checkResult(field, term, valueAt)
}

// unescape returns the value without its escapes, and whether it ended in a bare star.
func unescape(field, raw string, at int) (value string, star bool, err error) {
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '\\' && i+1 == len(raw):
			return "", false, &FilterError{field, at + i, `a backslash needs a character behind it; write \\ for a backslash`}
		case c == '\\':
			i++
			b.WriteByte(raw[i])
		case c == '*' && i+1 == len(raw):
			star = true
		case c == '*':
			return "", false, &FilterError{field, at + i, `a star can only stand at the end; write \* for a star`}
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), star, nil
}

func checkResult(field string, term Term, at int) error {
	if term.Key != KeyResult || term.Match == MatchPrefix {
		return nil
	}
	if _, ok := testengine.ParseResult(term.Value); !ok || term.Value == "" {
		return &FilterError{field, at, fmt.Sprintf("%q is no result; there are passed, failed, skipped, pending, unknown", term.Value)}
	}
	return nil
}

// badKey says what is wrong with a key, or "".
func badKey(key string) string {
	switch {
	case key == "":
		return "the key is empty"
	case len(key) > MaxKeyBytes:
		return fmt.Sprintf("the key is longer than %d bytes", MaxKeyBytes)
	case !utf8.ValidString(key) || strings.ContainsFunc(key, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || r == ',' || r == '\\' }):
		return fmt.Sprintf("%q is no key: white space, commas, backslashes and control characters cannot be in it", key)
	default:
		return ""
	}
}

// String writes the filter so that ParseFilter reads the same one back.
func (f Filter) String() string {
	var b strings.Builder
	for i, term := range f {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(term.String())
	}
	return b.String()
}

// String writes the term as ParseFilter reads it.
func (t Term) String() string {
	var b strings.Builder
	b.WriteString(t.Key)
	b.WriteByte(':')
	if t.Not {
		b.WriteByte('!')
	}
	switch t.Match {
	case MatchAny:
		b.WriteByte('~')
	case MatchOnly:
		b.WriteByte('^')
	case MatchIs, MatchPrefix:
	}
	for i := range len(t.Value) {
		c := t.Value[i]
		first := i == 0 && strings.IndexByte(" !~^", c) >= 0
		if c == ',' || c == '*' || c == '\\' || first || (c == ' ' && i == len(t.Value)-1) {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	if t.Match == MatchPrefix {
		b.WriteByte('*')
	}
	return b.String()
}

// trimRight takes off spaces at the end that no backslash keeps.
func trimRight(raw string) string {
	for strings.HasSuffix(raw, " ") {
		before := raw[:len(raw)-1]
		backslashes := len(before) - len(strings.TrimRight(before, `\`))
		if backslashes%2 == 1 {
			return raw
		}
		raw = before
	}
	return raw
}
