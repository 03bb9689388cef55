// Package owners reads TESTOWNERS files: the grammar of CODEOWNERS with teams
// as owners. The last line that matches a file decides, its first owner is the
// one who is told. A line without owners does not take ownership away, unlike
// in CODEOWNERS.
package owners

import (
	"fmt"
	"slices"
	"strings"
)

// MaxBytes is the size of the largest file that is read.
const MaxBytes = 1 << 20

// Rules are the lines of a file.
type Rules struct {
	rules []rule
}

type rule struct {
	pattern pattern
	owners  []string
}

// A Problem is a line that was left out.
type Problem struct {
	Line   int
	Reason string
}

// Error says which line it was.
func (p Problem) Error() string { return fmt.Sprintf("line %d: %s", p.Line, p.Reason) }

// Parse reads a file. Lines it does not understand are left out and reported.
func Parse(text string) (*Rules, []Problem) {
	r := &Rules{}
	var problems []Problem
	if len(text) > MaxBytes {
		return r, []Problem{{1, fmt.Sprintf("the file has %d bytes, more than %d", len(text), MaxBytes)}}
	}
	number := 0
	for line := range strings.Lines(text) {
		number++
		words := split(line)
		if len(words) == 0 {
			continue
		}
		compiled, err := compile(words[0])
		if err != nil {
			problems = append(problems, Problem{number, err.Error()})
			continue
		}
		if len(words) > 1 {
			r.rules = append(r.rules, rule{compiled, words[1:]})
		}
	}
	return r, problems
}

// split cuts a line into words; a backslash makes a blank or a # part of a word.
func split(line string) (words []string) {
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line) && (line[i+1] == ' ' || line[i+1] == '#' || line[i+1] == '\\'):
			i++
			word.WriteByte(line[i])
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			end()
		case c == '#' && word.Len() == 0:
			return words
		default:
			word.WriteByte(c)
		}
	}
	end()
	return words
}

// Len is the number of lines that name owners.
func (r *Rules) Len() int { return len(r.rules) }

// Owner returns the default owner of a file, "" when nobody owns it.
func (r *Rules) Owner(file string) string {
	if all := r.Owners(file); len(all) > 0 {
		return all[0]
	}
	return ""
}

// Owners returns all owners of a file, the default owner first.
func (r *Rules) Owners(file string) []string {
	file = strings.TrimPrefix(strings.TrimPrefix(file, "./"), "/")
	if file == "" {
		return nil
	}
	for _, rule := range slices.Backward(r.rules) {
		if rule.pattern.matches(file) {
			return rule.owners
		}
	}
	return nil
}
