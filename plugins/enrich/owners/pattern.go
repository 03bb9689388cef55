package owners

import (
	"errors"
	"strings"
)

// A pattern is that of a gitignore file, as far as CODEOWNERS has it: a leading
// or inner slash ties it to the root, a trailing slash asks for a folder, * and
// ? stay within a name, ** does not. What matches a folder matches all in it,
// but for a last /*, which means the files of that folder alone.
type pattern struct {
	// segments are the names between slashes; ** stands for any number of them.
	segments []string
	// folder asks for something inside what is matched, exact for nothing inside.
	folder, exact bool
}

const anyNames = "**"

var (
	errNegated = errors.New("a pattern that is negated by ! is not known here")
	errRange   = errors.New("a pattern cannot have ranges in brackets")
	errEmpty   = errors.New("the pattern names nothing")
)

func compile(text string) (p pattern, err error) {
	switch {
	case strings.HasPrefix(text, "!"):
		return p, errNegated
	case strings.ContainsAny(text, "[]"):
		return p, errRange
	}
	inner := strings.TrimSuffix(text, "/")
	p.folder = inner != text
	anchored := strings.Contains(inner, "/")
	inner = strings.TrimPrefix(inner, "/")
	if inner == "" {
		if text != "/" {
			return p, errEmpty
		}
		return pattern{segments: []string{anyNames}}, nil
	}
	if !anchored {
		p.segments = append(p.segments, anyNames)
	}
	p.segments = append(p.segments, strings.Split(inner, "/")...)
	p.exact = anchored && !p.folder && p.segments[len(p.segments)-1] == "*"
	return p, nil
}

func (p pattern) matches(file string) bool { return p.from(p.segments, file) }

// from matches the rest of the segments with the rest of a path.
func (p pattern) from(segments []string, path string) bool {
	if len(segments) == 0 {
		switch {
		case p.exact:
			return path == ""
		case p.folder:
			return path != ""
		}
		return true
	}
	if segments[0] == anyNames {
		if len(segments) == 1 {
			return path != "" || !p.folder
		}
		for rest := path; rest != ""; {
			if p.from(segments[1:], rest) {
				return true
			}
			_, rest, _ = strings.Cut(rest, "/")
		}
		return false
	}
	if path == "" {
		return false
	}
	name, rest, _ := strings.Cut(path, "/")
	return matchName(segments[0], name) && p.from(segments[1:], rest)
}

// matchName matches * and ? within a name, without backtracking over more than one *.
func matchName(pattern, name string) bool {
	p, n, star, mark := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
