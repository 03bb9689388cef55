package junit

import (
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// The elements of NUnit 3. Its suites are groups of a tree whose path each case
// repeats, so that they are walked through.
const (
	nunitRoot  = "test-run"
	nunitSuite = "test-suite"
	nunitCase  = "test-case"
)

func nunitGroup(name []byte) bool { return string(name) == nunitRoot || string(name) == nunitSuite }

// nunitWords are the results of a case. A warning has passed: NUnit's own exit
// code says so.
var nunitWords = map[string]testengine.Result{
	"Passed": testengine.ResultPassed, "Warning": testengine.ResultPassed, "Failed": testengine.ResultFailed,
	"Skipped": testengine.ResultSkipped, "Inconclusive": testengine.ResultUnknown,
}

func (r *reader) nunitCase() {
	t := &r.test
	*t = testCase{failed: t.failed[:0], reruns: t.reruns[:0], flaky: t.flaky[:0], end: r.i}
	for t.start = t.end - 1; t.start > 0 && r.b[t.start] != '<'; {
		t.start--
	}
	full := ""
	for i := range r.attributes {
		value := r.attributes[i].text()
		switch string(r.attributes[i].name) {
		case "name":
			t.name = value
		case "fullname":
			full = value
		case "classname":
			t.class = value
		case "duration":
			t.time = value
		case "result":
			t.status = value
		}
	}
	if t.class == "" {
		t.class = strings.TrimSuffix(strings.TrimSuffix(full, t.name), ".")
	}
	var failure attempt
	depth := len(r.open)
	for len(r.open) >= depth {
		switch r.next() {
		case tokenEnd:
			return
		case tokenOpen:
			switch string(r.name) {
			case "failure", "reason":
				r.nunitSaid(&failure)
			default:
				r.ignore()
			}
		case tokenClose, tokenText:
		}
	}
	r.finishNUnit(t, failure)
}

// nunitSaid reads the message and the stack of a failure, or the reason of a skip.
func (r *reader) nunitSaid(failure *attempt) {
	depth := len(r.open)
	for len(r.open) >= depth {
		switch r.next() {
		case tokenEnd:
			return
		case tokenOpen:
			switch string(r.name) {
			case "message":
				failure.message = r.attempt(false).text
			case "stack-trace":
				failure.text = r.attempt(false).text
			default:
				r.ignore()
			}
		case tokenClose, tokenText:
		}
	}
}

func (r *reader) finishNUnit(t *testCase, failure attempt) {
	result, known := nunitWords[t.status]
	remaining := len(r.b) - r.i
	switch {
	case t.name == "":
		r.builder.Begin(remaining)
		r.builder.Reject("name", "missing", string(r.b[t.start:t.end]))
	case result == testengine.ResultFailed:
		failure.time = t.time
		failure.text = failure.message + "\n" + failure.text
		failure.message = ""
		r.failedExecution(t, append(t.failed, failure), remaining)
	default:
		e := r.execution(t, remaining)
		e.Result = result
		if result == testengine.ResultSkipped {
			e.FailureReason = strings.TrimSpace(failure.message)
		}
		if !known {
			r.builder.Remark(r.builder.Index(), "result", "unknown word: kept as unknown", t.status)
		}
		r.duration(e, t.time)
		r.builder.Accept()
	}
}
