package runners

import (
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/decode"
)

// Jest is the format of jest --json and of Vitest's reporter json.
const Jest = "jest-json"

const notJest = "there are no testResults: jest --json and vitest --reporter json write them"

// jestWords are both runners' words. Jest calls test.skip pending and test.todo
// todo, Vitest calls them skipped and todo.
var jestWords = map[string]testengine.Result{
	"passed": testengine.ResultPassed, "failed": testengine.ResultFailed, "pending": testengine.ResultPending,
	"todo": testengine.ResultSkipped, "skipped": testengine.ResultSkipped, "disabled": testengine.ResultSkipped,
}

// FeedJest reads a file into the builder. Texts alias it. The error is an
// *assemble.SyntaxError.
func FeedJest(builder *assemble.Builder, body []byte) error {
	r := newReader(builder, body)
	ofTest := decode.ObjectOf("ancestorTitles", "title", "status", "duration", "failureMessages", "invocations", "retryReasons", "location")
	start, found := r.w.Here(), false
	for range r.w.Member("testResults") {
		found = true
		for range r.w.Elements() {
			r.jestFile(ofTest)
		}
	}
	_, err := looked(r.w, start, found, notJest, 0)
	return err
}

// LookJest checks a file and counts its tests.
func LookJest(body []byte, maxDepth int) (tests int, err error) {
	w := decode.NewWalker(body, maxDepth)
	start, found := w.Here(), false
	for range w.Member("testResults") {
		found = true
		for range w.Elements() {
			for range w.Each("assertionResults") {
				tests++
			}
		}
	}
	return looked(w, start, found, notJest, tests)
}

// jestFile reads the tests of one file. Its name stands behind them, so they are
// passed over first.
func (r *reader) jestFile(ofTest *decode.Object) {
	var name, status, message string
	var results decode.Place
	for key := range r.w.Members() {
		switch key {
		case "name":
			name = r.w.Text()
		case "status":
			status = r.w.Text()
		case "message":
			message = r.w.Text()
		case "assertionResults":
			results = r.w.Later(results)
		}
	}
	tests := 0
	r.w.Reread(results, func() {
		for at := range r.w.Elements() {
			tests++
			r.assertion(at, name, ofTest)
		}
	})
	if tests == 0 && status == "failed" && name != "" && r.w.Err() == nil {
		r.suiteError("", name, name, message)
	}
}

func (r *reader) assertion(at decode.Place, file string, ofTest *decode.Object) {
	e, ok := r.begin(at)
	if !ok {
		return
	}
	var status, line, retried string
	invocations := 1.0
	for key := range r.w.Of(ofTest) {
		switch key {
		case "ancestorTitles":
			e.Scope = r.spaced(r.texts())
		case "title":
			e.Name = r.w.Text()
		case "status":
			status = r.w.Text()
		case "duration":
			e.Duration, e.HasDuration = r.duration(1000)
		case "failureMessages":
			r.messages(e, r.texts())
		case "invocations":
			invocations, _ = r.w.Number()
		case "retryReasons":
			if reasons := r.texts(); len(reasons) > 0 {
				retried = assemble.Reason(assemble.WithoutColours(reasons[0]))
			}
		case "location":
			for range r.w.Member("line") {
				line = r.w.Raw()
			}
		}
	}
	e.File, e.Location = file, r.located(file, line, "")
	r.result(e, jestWords, status)
	if e.Result == testengine.ResultPassed && invocations > 1 && e.FailureReason == "" {
		if retried == "" {
			retried = "passed on invocation " + strconv.Itoa(int(min(invocations, 1000))) + ": the runner keeps no reason of the ones before"
		}
		e.FailureReason = retried
	}
	r.close(e, at)
}

// spaced joins titles; the ones of the test before cost nothing.
func (r *reader) spaced(titles []string) string {
	if len(titles) == 1 {
		return titles[0]
	}
	if joined(r.scope, titles) {
		return r.scope
	}
	r.scope = strings.Join(titles, " ")
	return r.scope
}

// joined reports whether a text is the titles with spaces between them.
func joined(text string, titles []string) bool {
	for i, title := range titles {
		if i > 0 {
			if text == "" || text[0] != ' ' {
				return false
			}
			text = text[1:]
		}
		rest, found := strings.CutPrefix(text, title)
		if !found {
			return false
		}
		text = rest
	}
	return text == ""
}

// messages makes one entry of each failure: what was said, and the stack.
func (r *reader) messages(e *testengine.Execution, messages []string) {
	for i, message := range messages {
		message = assemble.WithoutColours(message)
		if i == 0 {
			e.FailureReason = assemble.Reason(message)
		}
		said, stack := splitStack(message)
		r.failures.Add(said, stack...)
	}
}

// splitStack cuts a JavaScript error where its stack begins.
func splitStack(message string) (said string, stack []string) {
	const frame = "\n    at "
	at := strings.Index(message, frame)
	if at < 0 {
		return message, nil
	}
	for line := range strings.SplitSeq(strings.TrimRight(message[at+1:], "\n"), "\n") {
		stack = append(stack, strings.TrimSpace(line))
	}
	return message[:at], stack
}
