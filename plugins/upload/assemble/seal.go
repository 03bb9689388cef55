package assemble

import (
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// pythonCollector numbers lines from zero: "file.py:9" is line 10.
const pythonCollector = "python-buildkite-test-collector"

// CollectionErrorTag marks a file that pytest could not import.
const CollectionErrorTag = "test.pytest_collection_error"

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
		if value, _ := e.Tag(CollectionErrorTag); value == "true" {
			e.SuiteError = true
		}
	}
	if e.SuiteError {
		b.errors++
	}
	e.TestID = testengine.TestID(b.seed, e.Scope, e.Name)
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
