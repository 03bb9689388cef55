// Package decode reads the JSON that collectors send. It is written for this
// one schema: it walks the body once, checks all of its structure on the way,
// and lets strings alias the body, so that an execution costs a quarter of a
// microsecond and hardly an allocation.
//
// What it promises beside speed: fields in any order, null everywhere, unknown
// keys kept as raw JSON, a record that is no execution rejected alone, a body
// that is no JSON refused with the byte offset. Where it differs from
// encoding/json is listed at FuzzFeed.
package decode

import (
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

// Format is the name of the format on the wire.
const Format = "json"

// Feed reads a body into the builder: an upload (an object with data), an
// array of executions, or executions one after another (NDJSON). The body must
// not change afterwards: strings alias it. The error is an
// *assemble.SyntaxError; the builder's Refuse then tells what became of it.
func Feed(builder *assemble.Builder, body []byte) error {
	r := reader{
		scanner: scanner{b: body, maxDepth: builder.Limits().MaxDepth},
		builder: builder, factsOnly: builder.Limits().FactsOnly,
	}
	if r.body() < 0 {
		return r.err
	}
	return nil
}

// Look walks a body and reports the first thing that Feed would refuse, as an
// *assemble.SyntaxError. It looks at structure alone, and tells what an answer to
// the collector says: the run's key, which is all that it keeps and allocates, and
// how many executions there are.
func Look(body []byte, maxDepth int) (Seen, error) {
	c := checker{scanner: scanner{b: body, maxDepth: maxDepth}}
	if c.body() < 0 {
		return Seen{}, c.err
	}
	return c.seen, nil
}
