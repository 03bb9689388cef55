// Package otlp reads OTLP traces, protobuf and JSON. A span that is a test is an
// execution by its own attributes and its resource's, so that it does not matter
// in which request the spans around it come; those below it in the same request
// are its history, and what has nothing to do with tests is rejected span by span.
package otlp

import (
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/decode"
)

// Format is what an upload of traces calls itself.
const Format = "otlp"

// request is what both encodings are read into. Texts alias the body.
type request struct {
	resources  []resource
	spans      []span
	attributes []attribute
	events     []event
}

// piece is a part of one of the request's slices.
type piece struct{ from, to int32 }

// resource is what the spans of a process share.
type resource struct{ attributes piece }

// span is one span. Ids are compared with each other and with nothing else, so
// that they stay as the encoding has them.
type span struct {
	resource          int32
	trace, id, parent string
	name              string
	start, end        uint64 // unix nanoseconds
	attributes        piece
	events            piece
	failed            bool
	message           string
	verdict           verdict
	// Of an execution its last child, of a child the one before, by place + 1.
	next int32
}

type event struct {
	name       string
	time       uint64
	attributes piece
}

// attribute is a key with the text of its value; what has none (lists, maps,
// bytes) is "".
type attribute struct{ key, value string }

// Encoding is how a request is written.
type Encoding int

// The encodings.
const (
	Protobuf Encoding = iota
	JSON
)

// usualSpan and usualAttribute are about how many bytes each has in protobuf.
const (
	usualSpan      = 300
	usualAttribute = 40
)

// parse reads a request. The error is an *assemble.SyntaxError.
func parse(encoding Encoding, body []byte, maxDepth int) (*request, error) {
	r := &request{
		spans:      make([]span, 0, len(body)/usualSpan+1),
		attributes: make([]attribute, 0, len(body)/usualAttribute+1),
	}
	if encoding == JSON {
		j := jsonReader{w: decode.NewWalker(body, maxDepth), r: r}
		return r, j.read()
	}
	p := protoReader{b: body, r: r}
	p.read()
	return r, p.err
}

// value is the attribute of that key, or "".
func (r *request) value(at piece, key string) string {
	for i := at.from; i < at.to; i++ {
		if r.attributes[i].key == key {
			return r.attributes[i].value
		}
	}
	return ""
}

// first is the first of the keys that has a value.
func (r *request) first(at piece, keys ...string) string {
	for _, key := range keys {
		if value := r.value(at, key); value != "" {
			return value
		}
	}
	return ""
}

// Look is the door's look: the structure, the run's key, the executions, and how
// many spans decoding will reject.
func Look(encoding Encoding, body []byte, runKey string, maxDepth int) (decode.Seen, error) {
	r, err := parse(encoding, body, maxDepth)
	if err != nil {
		return decode.Seen{}, err
	}
	seen := decode.Seen{RunKey: runKey}
	lost := false
	r.judge()
	for i := range r.spans {
		s := &r.spans[i]
		switch s.verdict {
		case execution:
			if seen.Executions == 0 {
				// A copy: the door uses the memory of a body again.
				seen.RunKey = strings.Clone(r.runKey(s, runKey))
			}
			seen.Executions++
		case nameless, stranger, foreign:
			seen.Rejected++
			seen.Why = s.verdict.why()
		case lone:
			lost = true
		case child, frame, open:
		}
	}
	if lost && seen.Rejected == 0 {
		seen.Why = lone.why()
	}
	return seen, nil
}

func broken(format string, offset int, reason string) error {
	return &assemble.SyntaxError{Format: format, Offset: offset, Reason: reason}
}
