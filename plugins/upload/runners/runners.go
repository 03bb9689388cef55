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
	e.FailureExpanded = r.failures.Take()
	switch {
	case r.w.Err() != nil:
	case e.Name == "":
		r.builder.Reject("name", "missing", r.w.Between(at, r.w.Here()))
	default:
		r.builder.Accept()
	}
}

// duration reads a number of which there are that many in a second.
func (r *reader) duration(e *testengine.Execution, second float64) {
	if r.w.Kind() == 'n' {
		return
	}
	at := r.w.Here()
	value, ok := r.w.Number()
	if ok && value >= 0 {
		e.Duration, e.HasDuration = value/second, true
	} else if r.w.Err() == nil {
		r.builder.Remark(r.builder.Index(), "duration", "not a length of time: it was dropped", r.w.Between(at, r.w.Here()))
	}
}

// result keeps a word of the runner's; a word that means nothing here is remarked.
func (r *reader) result(e *testengine.Execution, words map[string]testengine.Result, word string) {
	result, known := words[word]
	if e.Result = result; !known && word != "" {
		r.builder.Remark(r.builder.Index(), "status", "unknown word: kept as unknown", word)
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
	e.FailureExpanded = r.failures.Take()
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

// located is file:line, where both are known.
func (r *reader) located(file, line string) string {
	if file == "" || line == "" {
		return file
	}
	for i := range len(line) {
		if line[i] < '0' || line[i] > '9' {
			return file
		}
	}
	return r.w.Join(file, ":", line)
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
