// Package runners reads the files that test runners write themselves. Each is a
// file here, with a Feed that hands executions to the builder and a Look that
// checks the structure and counts. All take the keys of an object in any order,
// keep no more than the body and what they make of it, and reject a record that
// is no execution alone.
package runners

import (
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/decode"
)

// reader is what all formats need to make executions of what they walk.
type reader struct {
	w        *decode.Walker
	builder  *assemble.Builder
	failures assemble.Failures
	lines    []string
	scope    string // the last one that was joined
	held     []record
}

func newReader(builder *assemble.Builder, body []byte) reader {
	builder.EnvKnown()
	return reader{w: decode.NewWalker(body, builder.Limits().MaxDepth), builder: builder}
}

// begin opens a record for the object the walker stands at; what is none is
// rejected, and passed over.
func (r *reader) begin(at decode.Place) (e *testengine.Execution, ok bool) {
	e = r.builder.Begin(r.w.Remaining())
	if r.w.Kind() == '{' {
		return e, true
	}
	r.w.Skip()
	if r.w.Err() == nil {
		r.builder.Reject("record", "not an object", r.w.Between(at, r.w.Here()))
	}
	return nil, false
}

// close accepts the record that began at that place, unless it names no test.
func (r *reader) close(e *testengine.Execution, at decode.Place) {
	e.Detail().FailureExpanded = r.failures.Take()
	r.settle(e, at, r.w.Here())
}

func (r *reader) settle(e *testengine.Execution, from, to decode.Place) {
	switch {
	case r.w.Err() != nil:
	case e.Name == "":
		r.builder.Reject("name", "missing", r.w.Between(from, to))
	default:
		r.builder.Accept()
	}
}

// record is one whose file or name stands behind it: it is held until then.
type record struct {
	word, reason string // of its result, as the runner has them
	expanded     testengine.RawJSON
	duration     float64 // seconds
	timed        bool
	none         bool // it is no object
	from, to     decode.Place
}

// hold begins a record like begin. It stays valid until the next one is held.
func (r *reader) hold(at decode.Place) (x *record, ok bool) {
	r.held = append(r.held, record{from: at, to: at})
	x = &r.held[len(r.held)-1]
	if r.w.Kind() == '{' {
		return x, true
	}
	r.w.Skip()
	x.none, x.to = true, r.w.Here()
	return x, false
}

// keep ends the record that was held last.
func (r *reader) keep(x *record) {
	x.expanded, x.to = r.failures.Take(), r.w.Here()
}

// release hands the records that are held to the builder, each when finish has
// told what was missing.
func (r *reader) release(finish func(n int, x *record, e *testengine.Execution)) {
	held := r.held
	r.held = r.held[:0]
	for n := range held {
		if r.w.Err() != nil {
			break
		}
		x := &held[n]
		e := r.builder.Begin(r.w.Remaining())
		if x.none {
			r.builder.Reject("record", "not an object", r.w.Between(x.from, x.to))
			continue
		}
		e.FailureReason, e.Duration, e.HasDuration = x.reason, x.duration, x.timed
		e.Detail().FailureExpanded = x.expanded
		finish(n, x, e)
		r.settle(e, x.from, x.to)
	}
	clear(held)
}

// index is the place of the record that is being read.
func (r *reader) index() int { return r.builder.Index() + max(0, len(r.held)-1) }

// duration reads a number of which there are that many in a second.
func (r *reader) duration(second float64) (seconds float64, known bool) {
	if r.w.Kind() == 'n' {
		return 0, false
	}
	at := r.w.Here()
	value, ok := r.w.Number()
	if ok && value >= 0 {
		return value / second, true
	}
	if r.w.Err() == nil {
		r.builder.Remark(r.index(), "duration", "not a length of time: it was dropped", r.w.Between(at, r.w.Here()))
	}
	return 0, false
}

// result keeps a word of the runner's; a word that means nothing here is remarked.
func (r *reader) result(e *testengine.Execution, words map[string]testengine.Result, word string) {
	result, known := words[word]
	if e.Result = result; !known && word != "" {
		r.builder.Remark(r.index(), "status", "unknown word: kept as unknown", word)
	}
}

// suiteError hands in what kept tests from running: it is no test.
func (r *reader) suiteError(scope, name, file, text string) {
	e := r.builder.Begin(r.w.Remaining())
	text = assemble.WithoutColours(text)
	e.Scope, e.Name, e.File = scope, name, file
	e.Result, e.SuiteError = testengine.ResultFailed, true
	e.FailureReason = errorReason(text)
	r.failures.Add(text)
	e.Detail().FailureExpanded = r.failures.Take()
	r.builder.Accept()
}

// errorReason passes over the headings of Jest (●) and of Go's compiler (#).
func errorReason(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "●") && !strings.HasPrefix(line, "# ") {
			return line
		}
	}
	return assemble.Reason(text)
}

// located is file:line, where both are known, or file:line:column.
func (r *reader) located(file, line, column string) string {
	switch {
	case file == "" || !number(line):
		return file
	case !number(column):
		return r.w.Join(file, ":", line)
	}
	return r.w.Join(file, ":", line, ":", column)
}

func number(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}

// texts reads an array of strings. The slice is used again by the next call.
func (r *reader) texts() []string {
	r.lines = r.lines[:0]
	for range r.w.Elements() {
		r.lines = append(r.lines, r.w.Text())
	}
	return r.lines
}

// looked ends a Look: the document must have had what makes it this format.
func looked(w *decode.Walker, at decode.Place, found bool, wrong string, count int) (int, error) {
	if !found {
		w.Fail(at, wrong)
	}
	return count, w.End()
}
