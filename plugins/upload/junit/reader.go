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
	message, text, time, kind string
	isError                   bool
}

// testCase is the <testcase> that is being read.
type testCase struct {
	start, end                            int // of the start tag
	name, class, time, file, line, status string
	// failed are the failures of the first attempt, which may have several.
	failed, reruns, flaky []attempt
	// wholeClass says that a class or a suite could not run: it is no test.
	wholeClass, skipped bool
	skipMessage         string
}

// A reader turns the elements of a document into executions.
type reader struct {
	scanner
	builder  *assemble.Builder
	failures assemble.Failures
	texts    assemble.Texts
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
		case found == tokenOpen && string(r.name) == nunitCase:
			r.nunitCase()
		case found == tokenOpen && len(r.suites) > 0 && (string(r.name) == "error" || string(r.name) == "failure"):
			r.suiteFailed()
		case found == tokenOpen && string(r.name) != "testsuites" && !nunitGroup(r.name):
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
	for i := range r.attributes {
		a := &r.attributes[i]
		switch value := a.text(); {
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
	*t = testCase{failed: t.failed[:0], reruns: t.reruns[:0], flaky: t.flaky[:0]}
	t.end = r.i
	t.start = t.end - 1
	for t.start > 0 && r.b[t.start] != '<' {
		t.start--
	}
	for i := range r.attributes {
		a := &r.attributes[i]
		value := a.text()
		switch string(a.name) {
		case "name":
			t.name = value
		case "classname", "class": // PHPUnit writes both, the same
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
		t.reruns = append(t.reruns, r.attempt(false))
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
	for i := range r.attributes {
		attribute := &r.attributes[i]
		switch string(attribute.name) {
		case "message":
			a.message = attribute.text()
		case "time":
			a.time = attribute.text()
		case "type":
			a.kind = attribute.text()
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
			if string(r.name) == "stackTrace" { // surefire's attempts have it as a child
				a.text = joined(a.text, r.attempt(false).text)
			} else {
				r.ignore()
			}
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

// finish makes executions of a test case, one an attempt: those that failed
// before one that passed, or the failure and its reruns. Several failures of one
// attempt are one execution.
func (r *reader) finish(t *testCase) {
	remaining := len(r.b) - r.i
	if t.name == "" && !r.classFailed(t) {
		r.builder.Begin(remaining)
		r.builder.Reject("name", "missing", string(r.b[t.start:t.end]))
		return
	}
	for i := range t.flaky {
		r.failedExecution(t, t.flaky[i:i+1], remaining)
	}
	if len(t.failed) == 0 && failedStatus(t.status) {
		t.failed = append(t.failed, attempt{message: t.status})
	}
	if len(t.failed) > 0 {
		if t.failed[0].time == "" {
			t.failed[0].time = t.time
		}
		r.failedExecution(t, t.failed, remaining)
	}
	for i := range t.reruns {
		r.failedExecution(t, t.reruns[i:i+1], remaining)
	}
	if len(t.failed)+len(t.reruns) > 0 {
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

// classFailed names a case without a name after its class, when it failed: so
// surefire files what kept a class from being set up.
func (*reader) classFailed(t *testCase) bool {
	if t.class == "" || len(t.failed) == 0 {
		return false
	}
	t.name, t.class, t.wholeClass = t.class, "", true
	return true
}

// suiteFailed makes a suite error of a failure that stands in a suite, outside
// of its cases.
func (r *reader) suiteFailed() {
	a := r.attempt(true)
	suite := r.suites[len(r.suites)-1]
	name := suite.name
	if name == "" {
		name = suite.file
	}
	r.test = testCase{name: name, file: suite.file, wholeClass: true}
	remaining := len(r.b) - r.i
	if name == "" {
		r.builder.Begin(remaining)
		r.builder.Reject("name", "missing: a suite without a name has failed", a.message)
		return
	}
	r.failedExecution(&r.test, []attempt{a}, remaining)
}

// notRun knows the words of googletest and ctest.
func notRun(status string) bool {
	return status == "notrun" || status == "disabled" || status == "skipped"
}

// failedStatus knows the words of tools that write no element for a failure.
func failedStatus(status string) bool {
	return status == "failed" || status == "fail" || status == "error"
}
