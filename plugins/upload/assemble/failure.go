package assemble

import (
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Failures writes failure_expanded for formats that say it otherwise: the raw
// JSON array of entries with expanded and backtrace. It is used again after Take.
type Failures struct{ out []byte }

// Add appends an entry: text is split into lines, backtrace may be empty. An
// entry without any word is left out. The text is valid UTF-8.
func (f *Failures) Add(text string, backtrace ...string) {
	text = strings.Trim(text, "\n")
	if strings.TrimSpace(text) == "" && len(backtrace) == 0 {
		return
	}
	if len(f.out) == 0 {
		f.out = append(f.out, '[')
	} else {
		f.out = append(f.out, ',')
	}
	f.out = append(f.out, `{"expanded":[`...)
	for first := true; text != ""; first = false {
		line, rest, _ := strings.Cut(text, "\n")
		if !first {
			f.out = append(f.out, ',')
		}
		f.out = AppendText(f.out, line)
		text = rest
	}
	f.out = append(f.out, ']')
	if len(backtrace) > 0 {
		f.out = append(f.out, `,"backtrace":[`...)
		for i, line := range backtrace {
			if i > 0 {
				f.out = append(f.out, ',')
			}
			f.out = AppendText(f.out, line)
		}
		f.out = append(f.out, ']')
	}
	f.out = append(f.out, '}')
}

// Take returns what was added, as a copy, and forgets it.
func (f *Failures) Take() testengine.RawJSON {
	if len(f.out) == 0 {
		return ""
	}
	raw := testengine.RawJSON(append(f.out, ']'))
	f.out = f.out[:0]
	return raw
}

// AppendText writes valid UTF-8 as a JSON string.
func AppendText(out []byte, text string) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c == '\t':
			out = append(out, '\\', 't')
		case c < ' ':
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}

// Reason is the first line of a failure's text that says something: the lines
// with which Go frames a test's output do not.
func Reason(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- FAIL") {
			return line
		}
	}
	return ""
}

// WithoutColours takes the escape sequences out with which runners colour a
// terminal: they would split a failure into several.
func WithoutColours(text string) string {
	if !strings.Contains(text, "\x1b[") {
		return text
	}
	var plain strings.Builder
	for {
		before, after, found := strings.Cut(text, "\x1b[")
		plain.WriteString(before)
		if !found {
			return plain.String()
		}
		end := 0
		for end < len(after) && (after[end] < '@' || after[end] > '~') {
			end++
		}
		text = after[min(end+1, len(after)):]
	}
}
