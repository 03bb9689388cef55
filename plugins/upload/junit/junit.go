// Package junit reads JUnit XML as the many tools write it that claim to, and
// what NUnit writes instead. It is strict about what is markup, so that a
// truncated file is noticed with the byte offset, and lenient about what is text:
// control characters and broken UTF-8 become U+FFFD instead of losing a file of
// results.
package junit

import (
	"bytes"

	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

// Format is the name of the format on the wire.
const Format = "junit"

// Feed reads a document into the builder, one execution for each attempt of a
// test case. The body must not change afterwards: strings alias it. The error is
// an *assemble.SyntaxError; the builder's Refuse then tells what became of it.
func Feed(builder *assemble.Builder, body []byte) error {
	builder.EnvKnown()
	text, offset, err := decoded(body)
	if err != nil {
		return err
	}
	r := reader{scanner: scanner{b: text, i: offset, maxDepth: builder.Limits().MaxDepth}, builder: builder}
	r.document()
	return r.err
}

// Look walks a document, counts its test cases and reports the first thing that
// Feed would refuse.
func Look(body []byte, maxDepth int) (cases int, err error) {
	text, offset, err := decoded(body)
	if err != nil {
		return 0, err
	}
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

// decoded returns the document as UTF-8, and where it begins behind a byte order
// mark. Documents in Latin-1 or Windows-1252 are rewritten; their errors count
// the bytes of the rewritten text.
func decoded(body []byte) (text []byte, offset int, err error) {
	if has(body, "\xfe\xff") || has(body, "\xff\xfe") {
		return nil, 0, &assemble.SyntaxError{Format: "XML", Offset: 0, Reason: "UTF-16 is not read here, send UTF-8"}
	}
	if has(body, "\xef\xbb\xbf") {
		offset = 3
	}
	if singleByte(body[offset:min(len(body), offset+200)]) {
		return fromLatin(body), 0, nil
	}
	return body, offset, nil
}

// singleByte looks for an encoding of one byte a character in the XML declaration.
func singleByte(start []byte) bool {
	if !has(start, "<?xml") {
		return false
	}
	before, _, ok := bytes.Cut(start, []byte("?>"))
	if !ok {
		return false
	}
	declaration := bytes.ToLower(before)
	for _, name := range []string{"iso-8859-1", "windows-1252", "latin1", "cp1252"} {
		if bytes.Contains(declaration, []byte(name)) {
			return true
		}
	}
	return false
}

func fromLatin(body []byte) []byte {
	text := make([]byte, 0, len(body)+len(body)/8)
	for _, c := range body {
		if c < 0x80 {
			text = append(text, c)
		} else {
			text = append(text, 0xc0|c>>6, 0x80|c&0x3f)
		}
	}
	return text
}
