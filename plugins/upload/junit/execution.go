package junit

import (
	"math"
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

// pytest is the name of pytest's suite. It counts lines from zero.
const pytest = "pytest"

// execution begins a record with what all attempts of a test case share.
func (r *reader) execution(t *testCase, remaining int) *testengine.Execution {
	e := r.builder.Begin(remaining)
	e.Name, e.Scope, e.File = t.name, t.class, t.file
	line := t.line
	if len(r.suites) > 0 {
		inner := r.suites[len(r.suites)-1]
		if e.Scope == "" && !t.wholeClass {
			e.Scope = inner.name
		}
		if e.File == "" {
			e.File = inner.file
		}
		if inner.name == pytest && strings.HasSuffix(e.File, ".py") {
			line = next(line)
		}
	}
	if e.File != "" && line != "" {
		e.Location = r.texts.Join(e.File, ":", line)
	}
	return e
}

// next is the number behind a line number.
func next(line string) string {
	number, err := strconv.Atoi(line)
	if err != nil || number < 0 {
		return line
	}
	return strconv.Itoa(number + 1)
}

// failedExecution is an attempt that failed, with all of its failures.
func (r *reader) failedExecution(t *testCase, failures []attempt, remaining int) {
	e := r.execution(t, remaining)
	e.Result = testengine.ResultFailed
	e.SuiteError = t.wholeClass
	for i := range failures {
		a := &failures[i]
		if e.FailureReason == "" {
			e.FailureReason = reason(a)
		}
		text := a.text
		if i > 0 && strings.TrimSpace(text) == "" {
			text = a.message
		}
		r.failures.Add(text)
		e.SuiteError = e.SuiteError || suiteError(t, a)
	}
	e.Detail().FailureExpanded = r.failures.Take()
	r.duration(e, failures[0].time)
	r.builder.Accept()
}

// suiteError recognises what is no test: gotestsum files a package that does not
// build as TestMain without a class, pytest a file that does not import as an
// error without a class.
func suiteError(t *testCase, a *attempt) bool {
	return t.class == "" && (t.name == "TestMain" || a.isError && a.message == "collection failure")
}

// reason is the message, or the first line of the text that says something, or
// the type.
func reason(a *attempt) string {
	message := strings.TrimSpace(a.message)
	if message != "" && message != "Failed" {
		return message
	}
	if first := assemble.Reason(a.text); first != "" {
		return first
	}
	if message == "" {
		return a.kind
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
