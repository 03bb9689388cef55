package assemble

import (
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// pythonCollector numbers lines from zero: "file.py:9" is line 10.
const pythonCollector = "python-buildkite-test-collector"

// collectionErrorTag marks a file that pytest could not import.
const collectionErrorTag = "test.pytest_collection_error"

// seal gives an execution its final name and its identity. Nothing changes them
// afterwards.
func (b *Builder) seal(e *testengine.Execution) {
	u := b.upload
	if b.paths == nil {
		b.paths = pathsOf(u)
	}
	b.paths.apply(e)
	e.File = withoutDot(e.File)
	e.Location = withoutDot(e.Location)
	if u.NamePrefix != "" || u.NameSuffix != "" {
		e.Name = u.NamePrefix + e.Name + u.NameSuffix
	}
	if u.Collector == pythonCollector {
		e.Location = countedFromOne(e.Location)
	}
	if len(e.Tags) > 0 && e.Scope == "" {
		if value, _ := e.Tag(collectionErrorTag); value == "true" {
			e.SuiteError = true
		}
	}
	if e.SuiteError {
		b.errors++
	}
	b.share(e)
	e.TestID = testengine.TestIDIn(b.last.seed, e.Name)
	if size(e) > min(b.limits.TextBytes, b.limits.DetailBytes) {
		b.bound(e)
	}
	if b.limits.FactsOnly {
		e.MarkFile()
	} else {
		e.Mark()
	}
}

// shared is what the tests of a file have in common; they stand together as a rule.
type shared struct {
	file, scope string
	seed        uint64 // of the scope
}

// share gives neighbours one text for their file and their scope: whoever
// compares it with the one before need not look at the bytes, which are cold by then.
func (b *Builder) share(e *testengine.Execution) {
	if e.File == b.last.file {
		e.File = b.last.file
	} else {
		b.last.file = e.File
	}
	if e.Scope == b.last.scope && b.last.seed != 0 {
		e.Scope = b.last.scope
		return
	}
	b.last.scope, b.last.seed = e.Scope, testengine.ScopeSeed(b.seed, e.Scope)
}

func withoutDot(path string) string {
	if len(path) > 1 && path[0] == '.' && path[1] == '/' {
		return path[2:]
	}
	return path
}

// countedFromOne adds one to the line of "file:line".
func countedFromOne(location string) string {
	colon := strings.LastIndexByte(location, ':')
	if colon < 0 {
		return location
	}
	line, err := strconv.Atoi(location[colon+1:])
	if err != nil || line < 0 || line == int(^uint(0)>>1) {
		return location
	}
	return location[:colon+1] + strconv.Itoa(line+1)
}
