package assemble

import (
	"strings"
	"unicode/utf8"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const snippetBytes = 200

// maxReasons bounds the table of counts: fields and reasons are our own words,
// but a message of a broken body is not.
const maxReasons = 200

// account lists the first problems and counts all of them.
type account struct {
	limit    int
	problems []testengine.Problem
	counts   map[string]int
}

// Remark notes a problem that loses nothing or less than the record; index -1 is
// the upload itself. Value is the offending text.
func (a *account) Remark(index int, field, reason, value string) {
	if a.counts == nil {
		a.counts = make(map[string]int)
	}
	key := field + ": " + reason
	if _, known := a.counts[key]; known || len(a.counts) < maxReasons {
		a.counts[key]++
	}
	if len(a.problems) >= a.limit {
		return
	}
	a.problems = append(a.problems, testengine.Problem{Index: index, Field: field, Reason: reason, Snippet: Snippet(value)})
}

// Envelope notes a problem of what stands around the records. Every chunk of an
// upload has it again; it counts with the first.
func (b *Builder) Envelope(field, reason, value string) {
	if !b.facts.Continues {
		b.Remark(-1, field, reason, value)
	}
}

// Snippet is the start of a value, at most 200 bytes of valid UTF-8, as a copy.
func Snippet(value string) string {
	if len(value) > snippetBytes {
		value = value[:snippetBytes]
		for end := len(value); end > 0 && len(value)-end < utf8.UTFMax; end-- {
			if utf8.RuneStart(value[end-1]) {
				if !utf8.FullRuneInString(value[end-1:]) {
					value = value[:end-1]
				}
				break
			}
		}
	}
	cleaned := strings.ToValidUTF8(value, "\uFFFD")
	if len(cleaned) > snippetBytes {
		cleaned = Snippet(cleaned)
	}
	return strings.Clone(cleaned)
}
