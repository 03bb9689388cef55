// Package junit reads JUnit XML as the many tools write it that claim to, and
// what NUnit writes instead. It is strict about what is markup, so that a
// truncated file is noticed with the byte offset, and lenient about what is text:
// control characters and broken UTF-8 become U+FFFD instead of losing a file of
// results.
package junit

import (
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

// Format is the name of the format on the wire.
const Format = "junit"

// Feed reads a document into the builder, one execution for each attempt of a
// test case. The body must not change afterwards: strings alias it. The error is
// an *assemble.SyntaxError; the builder's Refuse then tells what became of it.
func Feed(builder *assemble.Builder, body []byte) error {
	builder.EnvKnown()
	text, offset := decoded(body)
	r := reader{scanner: scanner{b: text, i: offset, maxDepth: builder.Limits().MaxDepth}, builder: builder}
	r.document()
	return r.err
}

// Look walks a document, counts its test cases and reports the first thing that
// Feed would refuse.
func Look(body []byte, maxDepth int) (cases int, err error) {
	text, offset := decoded(body)
	s := scanner{b: text, i: offset, maxDepth: maxDepth}
	for found, first := s.next(), true; found != tokenEnd; found = s.next() {
		if first && found == tokenOpen && !root(s.name) {
			s.fail(s.i, wrongRoot)
		}
		first = false
		if found == tokenOpen && (string(s.name) == "testcase" || string(s.name) == nunitCase) {
			cases++
		}
	}
	return cases, s.err
}

const wrongRoot = "the root element is none of testsuites, testsuite and test-run (NUnit)"

func root(name []byte) bool {
	return string(name) == "testsuites" || string(name) == "testsuite" || string(name) == nunitRoot
}
