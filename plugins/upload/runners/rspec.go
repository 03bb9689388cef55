package runners

import (
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/decode"
)

// RSpec is the format of rspec --format json.
const RSpec = "rspec-json"

const notRSpec = "there are no examples: rspec --format json writes them"

var rspecWords = map[string]testengine.Result{
	"passed": testengine.ResultPassed, "failed": testengine.ResultFailed, "pending": testengine.ResultSkipped,
}

// FeedRSpec reads a file into the builder. Texts alias it. The error is an
// *assemble.SyntaxError.
func FeedRSpec(builder *assemble.Builder, body []byte) error {
	r := newReader(builder, body)
	ofExample := decode.ObjectOf("description", "full_description", "status", "file_path", "line_number", "run_time", "pending_message", "exception")
	start, found := r.w.Here(), false
	for key := range r.w.Members() {
		switch key {
		case "examples":
			found = true
			for at := range r.w.Elements() {
				r.example(at, ofExample)
			}
		case "messages":
			for range r.w.Elements() {
				r.outsideOfExamples(r.w.Text())
			}
		}
	}
	_, err := looked(r.w, start, found, notRSpec, 0)
	return err
}

// LookRSpec checks a file and counts its examples.
func LookRSpec(body []byte, maxDepth int) (examples int, err error) {
	w := decode.NewWalker(body, maxDepth)
	start, found := w.Here(), false
	for range w.Member("examples") {
		found = true
		for range w.Elements() {
			examples++
		}
	}
	return looked(w, start, found, notRSpec, examples)
}

func (r *reader) example(at decode.Place, ofExample *decode.Object) {
	e, ok := r.begin(at)
	if !ok {
		return
	}
	var full, status, line, pending string
	for key := range r.w.Of(ofExample) {
		switch key {
		case "description":
			e.Name = r.w.Text()
		case "full_description":
			full = r.w.Text()
		case "status":
			status = r.w.Text()
		case "file_path":
			e.File = strings.TrimPrefix(r.w.Text(), "./")
		case "line_number":
			line = r.w.Raw()
		case "run_time":
			e.Duration, e.HasDuration = r.duration(1)
		case "pending_message":
			pending = r.w.Text()
		case "exception":
			r.exception(e)
		}
	}
	e.Scope = groupOf(full, e.Name)
	e.Location = r.located(e.File, line, "")
	r.result(e, rspecWords, status)
	if e.Result == testengine.ResultSkipped {
		e.FailureReason = pending
	}
	r.close(e, at)
}

// groupOf is what stands before the example's own description: the path of its
// groups, as the collector sends it.
func groupOf(full, description string) string {
	return strings.TrimRight(strings.TrimSuffix(full, description), " ")
}

func (r *reader) exception(e *testengine.Execution) {
	var message string
	var backtrace []string
	for key := range r.w.Members() {
		switch key {
		case "message":
			message = assemble.WithoutColours(r.w.Text())
		case "backtrace":
			backtrace = r.texts()
		}
	}
	e.FailureReason = assemble.Reason(message)
	r.failures.Add(message, backtrace...)
}

const loading = "An error occurred while loading "

// outsideOfExamples makes a suite error of a message that tells of one.
func (r *reader) outsideOfExamples(message string) {
	said := strings.TrimSpace(message)
	if !strings.HasPrefix(said, "An error occurred") {
		return
	}
	first, _, _ := strings.Cut(said, "\n")
	name, file := first, ""
	if path, found := strings.CutPrefix(first, loading); found {
		file = strings.TrimPrefix(strings.TrimSuffix(strings.TrimSpace(path), "."), "./")
		name = file
	}
	_, reason, _ := strings.Cut(said, "\n")
	if strings.TrimSpace(reason) == "" {
		reason = said
	}
	r.suiteError("", name, file, reason)
}
