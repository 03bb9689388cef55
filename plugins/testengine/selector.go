package testengine

import "strings"

// SelectorTag is the tag by which a test plan finds the history of what it may
// run: a collector may send it, otherwise Selector derives it.
const SelectorTag = "test.selector.primary"

// goTestRunner is bktec's name of go test, whose selectors are packages.
const goTestRunner = "gotest"

// Selector is what a runner is told to run this execution's test again: the tag
// where one was sent, the package for Go, else the file without the prefix of
// the repository (bktec sends selectors without it). It is "" when nothing of
// this was sent. It is a part of other strings, and costs nothing.
func (u *Upload) Selector(e *Execution) string {
	if selector, sent := e.Tag(SelectorTag); sent {
		return selector
	}
	if selector, sent := u.Tag(SelectorTag); sent {
		return selector
	}
	if u.Format == "go-jsonl" || u.TestRunner == goTestRunner {
		return e.Scope
	}
	file := e.File
	if file == "" {
		file = fileOf(e.Location)
	}
	prefix := strings.TrimSuffix(strings.TrimPrefix(u.LocationPrefix, "./"), "/")
	if rest, found := strings.CutPrefix(file, prefix); found && prefix != "" && strings.HasPrefix(rest, "/") {
		return rest[1:]
	}
	return file
}

// fileOf is a location without its line and column.
func fileOf(location string) string {
	for {
		colon := strings.LastIndexByte(location, ':')
		if colon < 0 || colon == len(location)-1 || strings.Trim(location[colon+1:], "0123456789") != "" {
			return location
		}
		location = location[:colon]
	}
}
