package junit

import (
	"unsafe"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

// suite is what test cases take from the suites around them.
type suite struct{ name, file string }

// attempt is one <failure>, <error>, <rerunFailure> or <flakyFailure>.
type attempt struct {
	message, text, time string
	isError             bool
}

// testCase is the <testcase> that is being read.
type testCase struct {
	start, end                            int // of the start tag
	name, class, time, file, line, status string
	named                                 bool
	failed, flaky                         []attempt
	skipped                               bool
	skipMessage                           string
}

// A reader turns the elements of a document into executions.
type reader struct {
	scanner
	builder  *assemble.Builder
	failures assemble.Failures
	suites   []suite
	test     testCase
}

func (r *reader) document() {
	for found := r.next(); found != tokenEnd; found = r.next() {
		switch {
		case found == tokenOpen && len(r.open) == 1 && !root(r.name):
			r.fail(r.i, wrongRoot)
		case found == tokenOpen && string(r.name) == "testsuite":
			r.suites = append(r.suites, r.suite())
		case found == tokenClose && string(r.name) == "testsuite":
			r.suites = r.suites[:len(r.suites)-1]
		case found == tokenOpen && string(r.name) == "testcase":
			r.testcase()
		case found == tokenOpen && string(r.name) != "testsuites":
			r.ignore()
		}
	}
}

// suite takes name and file of a suite, or those of the suite around it.
func (r *reader) suite() suite {
	var inner suite
	if n := len(r.suites); n > 0 {
		inner = r.suites[n-1]
	}
	for _, a := range r.attributes {
		switch value := plainText(a.value, false); {
		case value == "":
		case string(a.name) == "name":
			inner.name = value
		case string(a.name) == "file":
			inner.file = value
		}
	}
	return inner
}

// ignore passes over the element that has just been opened.
func (r *reader) ignore() {
	depth := len(r.open)
	for len(r.open) >= depth {
		if r.next() == tokenEnd {
			return
		}
	}
}

func (r *reader) testcase() {
	t := &r.test
	*t = testCase{failed: t.failed[:0], flaky: t.flaky[:0]}
	t.end = r.i
	t.start = t.end - 1
	for t.start > 0 && r.b[t.start] != '<' {
		t.start--
	}
	for _, a := range r.attributes {
		value := plainText(a.value, false)
		switch string(a.name) {
		case "name":
			t.name, t.named = value, value != ""
		case "classname":
			t.class = value
		case "time":
			t.time = value
		case "file":
			t.file = value
		case "line":
			t.line = value
		case "status":
			t.status = value
		}
	}
	depth := len(r.open)
	for len(r.open) >= depth {
		switch r.next() {
		case tokenEnd:
			return
		case tokenOpen:
			r.child(t)
		case tokenClose, tokenText:
		}
	}
	r.finish(t)
}

// child reads one element of a test case.
func (r *reader) child(t *testCase) {
	switch string(r.name) {
	case "failure":
		t.failed = append(t.failed, r.attempt(false))
	case "error":
		t.failed = append(t.failed, r.attempt(true))
	case "rerunFailure", "rerunError":
		t.failed = append(t.failed, r.attempt(false))
	case "flakyFailure", "flakyError":
		t.flaky = append(t.flaky, r.attempt(false))
	case "skipped":
		t.skipped = true
		t.skipMessage = r.attempt(false).message
	default:
		r.ignore()
	}
}

// attempt reads attributes and text of the element that has just been opened.
func (r *reader) attempt(isError bool) attempt {
	a := attempt{isError: isError}
	for _, attribute := range r.attributes {
		switch string(attribute.name) {
		case "message":
			a.message = plainText(attribute.value, false)
		case "time":
			a.time = plainText(attribute.value, false)
		}
	}
	depth := len(r.open)
	for len(r.open) >= depth {
		switch r.next() {
		case tokenEnd:
			return a
		case tokenText:
			if len(r.open) == depth {
				a.text = joined(a.text, plainText(r.text, r.raw))
			}
		case tokenOpen:
			r.ignore()
		case tokenClose:
		}
	}
	return a
}

func joined(before, after string) string {
	if before == "" {
		return after
	}
	if notBlank(unsafe.Slice(unsafe.StringData(after), len(after))) < 0 {
		return before
	}
	return before + after
}

// finish makes executions of a test case. Attempts that failed before one that
// passed come first; a case that failed and was run again without success is one
// execution an attempt.
func (r *reader) finish(t *testCase) {
	remaining := len(r.b) - r.i
	if !t.named {
		r.builder.Begin(remaining)
		r.builder.Reject("name", "missing", string(r.b[t.start:t.end]))
		return
	}
	for i := range t.flaky {
		r.failedExecution(t, t.flaky[i], remaining)
	}
	for i := range t.failed {
		if i == 0 && t.failed[0].time == "" {
			t.failed[0].time = t.time
		}
		r.failedExecution(t, t.failed[i], remaining)
	}
	if len(t.failed) > 0 {
		return
	}
	e := r.execution(t, remaining)
	e.Result = testengine.ResultPassed
	if t.skipped || notRun(t.status) {
		e.Result, e.FailureReason = testengine.ResultSkipped, t.skipMessage
	}
	r.duration(e, t.time)
	r.builder.Accept()
}

// notRun knows the words of googletest and ctest.
func notRun(status string) bool {
	return status == "notrun" || status == "disabled" || status == "skipped"
}
