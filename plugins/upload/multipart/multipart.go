// Package multipart takes apart the forms that curl, the Buildkite plugin and
// bktec send. The whole body is in memory, and parts alias it.
package multipart

import (
	"bytes"
	"mime"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

// Part is one part of a form.
type Part struct {
	Name string
	// Value is the content; Offset is where it begins in the body.
	Value  []byte
	Offset int
}

// maxParts bounds a form: run_env and tags have tens of keys, not thousands.
const maxParts = 1000

// Boundary returns the boundary of a multipart/form-data content type, or "".
func Boundary(contentType string) string {
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/form-data" {
		return ""
	}
	return parameters["boundary"]
}

// Parse splits a body at its boundary. The error is an *assemble.SyntaxError.
func Parse(body []byte, boundary string) ([]Part, error) {
	delimiter := []byte("--" + boundary)
	at, after, last := nextDelimiter(body, 0, delimiter)
	if at < 0 {
		return nil, broken(0, "the boundary "+boundary+" of the content type is not in the body")
	}
	var parts []Part
	for !last {
		if len(parts) == maxParts {
			return nil, broken(after, "it has too many parts")
		}
		begin := after
		if at, after, last = nextDelimiter(body, begin, delimiter); at < 0 {
			return nil, broken(len(body), "the closing boundary is missing")
		}
		part, err := parsePart(body, begin, at)
		if err != nil {
			return nil, err
		}
		if part.Name != "" {
			parts = append(parts, part)
		}
	}
	return parts, nil
}

// nextDelimiter finds the next delimiter line at or behind from. It returns where
// the line before it ends, where the line behind it begins, and whether it was
// the closing one.
func nextDelimiter(body []byte, from int, delimiter []byte) (at, after int, last bool) {
	for search := from; ; search = at + 1 {
		if at = find(body, search, delimiter); at < 0 {
			return -1, len(body), false
		}
		after = at + len(delimiter)
		if bytes.HasPrefix(body[after:], []byte("--")) {
			return lineEnd(body, from, at), after + 2, true
		}
		rest := bytes.TrimLeft(body[after:], " \t")
		after = len(body) - len(rest)
		if bytes.HasPrefix(rest, []byte("\r\n")) {
			return lineEnd(body, from, at), after + 2, false
		}
		if bytes.HasPrefix(rest, []byte("\n")) {
			return lineEnd(body, from, at), after + 1, false
		}
	}
}

// lineEnd is where the line before a delimiter at that place ends.
func lineEnd(body []byte, from, at int) int {
	if at > from && body[at-1] == '\n' {
		at--
	}
	if at > from && body[at-1] == '\r' {
		at--
	}
	return at
}

func parsePart(body []byte, begin, end int) (Part, error) {
	var part Part
	for at := begin; ; {
		line := bytes.IndexByte(body[at:max(at, end)], '\n')
		if line < 0 {
			return Part{}, broken(at, "a part has no empty line behind its headers")
		}
		header := strings.TrimRight(string(body[at:at+line]), "\r")
		at += line + 1
		if header == "" {
			part.Value, part.Offset = body[at:end:end], at
			return part, nil
		}
		name, value, found := strings.Cut(header, ":")
		if !found {
			return Part{}, broken(at-line-1, "a header of a part has no colon")
		}
		if strings.EqualFold(strings.TrimSpace(name), "content-disposition") {
			part.Name = fieldName(value)
		}
	}
}

// fieldName is the name parameter of a content disposition. Go's parser refuses
// names that curl sends unquoted with brackets in them, so those are cut by hand.
func fieldName(disposition string) string {
	if _, parameters, err := mime.ParseMediaType(disposition); err == nil {
		return parameters["name"]
	}
	for parameter := range strings.SplitSeq(disposition, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if strings.EqualFold(key, "name") {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}

func broken(offset int, reason string) error {
	return &assemble.SyntaxError{Format: "multipart body", Offset: offset, Reason: reason}
}
