package junit

import (
	"math"
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

// execution begins a record with what all attempts of a test case share.
func (r *reader) execution(t *testCase, remaining int) *testengine.Execution {
	e := r.builder.Begin(remaining)
	e.Name, e.Scope, e.File = t.name, t.class, t.file
	if len(r.suites) > 0 {
		inner := r.suites[len(r.suites)-1]
		if e.Scope == "" {
			e.Scope = inner.name
		}
		if e.File == "" {
			e.File = inner.file
		}
	}
	if e.File != "" && t.line != "" {
		e.Location = e.File + ":" + t.line
	}
	return e
}

func (r *reader) failedExecution(t *testCase, a attempt, remaining int) {
	e := r.execution(t, remaining)
	e.Result = testengine.ResultFailed
	e.FailureReason = reason(a)
	r.failures.Add(a.text)
	e.FailureExpanded = r.failures.Take()
	e.SuiteError = suiteError(t, a)
	r.duration(e, a.time)
	r.builder.Accept()
}

// suiteError recognises what is no test: gotestsum files a package that does not
// build as TestMain without a class, pytest a file that does not import as an
// error without a class.
func suiteError(t *testCase, a attempt) bool {
	return t.class == "" && (t.name == "TestMain" || a.isError && a.message == "collection failure")
}

// reason is the message, or the first line of the text that says something.
func reason(a attempt) string {
	message := strings.TrimSpace(a.message)
	if message != "" && message != "Failed" {
		return message
	}
	if first := assemble.Reason(a.text); first != "" {
		return first
	}
	return message
}

// duration reads seconds; some tools group thousands with commas.
func (r *reader) duration(e *testengine.Execution, seconds string) {
	if seconds == "" {
		return
	}
	value, err := strconv.ParseFloat(seconds, 64)
	if err != nil {
		value, err = strconv.ParseFloat(strings.ReplaceAll(seconds, ",", ""), 64)
	}
	if err != nil || math.IsNaN(value) || math.IsInf(value, 0) || value < 0 {
		r.builder.Remark(r.builder.Index(), "time", "not a number of seconds: it was dropped", seconds)
		return
	}
	e.Duration, e.HasDuration = value, true
}
