package query

import "github.com/connect-testengine/connect-testengine/plugins/testengine"

// State is what is concluded about a test now.
type State string

// The states of a test.
const (
	StateHealthy   State = "healthy"
	StateSuspected State = "suspected"
	StateFlaky     State = "flaky"
	StateBroken    State = "broken"
	StateStale     State = "stale"
)

// States lists all states, the worst first.
var States = []State{StateFlaky, StateBroken, StateSuspected, StateStale, StateHealthy}

// StateAfter is a test's state after an event about it; ok is false for events
// that leave the state as it is.
func StateAfter(event testengine.VerdictType) (state State, ok bool) {
	switch event {
	case testengine.FlakySuspected:
		return StateSuspected, true
	case testengine.FlakyDetected, testengine.FlakyUpdated:
		return StateFlaky, true
	case testengine.FlakyHealed, testengine.FlakyRetracted, testengine.TestFixed:
		return StateHealthy, true
	case testengine.FlakyStale:
		return StateStale, true
	case testengine.TestBroken:
		return StateBroken, true
	default:
		return "", false
	}
}

// Suite is a suite with what its page's head shows.
type Suite struct {
	SuiteKey
	DefaultBranch string
	// Tests counts managed tests, ByState those of each state.
	Tests   int
	ByState map[State]int
	// Runs and Executions count what the store holds.
	Runs          int
	Executions    int64
	FirstUploadAt int64
	LastUploadAt  int64
}

// Counts are executions by result.
type Counts struct {
	Passed, Failed, Skipped, Pending, Unknown int64
}

// Total is the number of executions.
func (c Counts) Total() int64 { return c.Passed + c.Failed + c.Skipped + c.Pending + c.Unknown }

// Reliability is passed / (passed + failed); ok is false when there were neither.
func (c Counts) Reliability() (fraction float64, ok bool) {
	if c.Passed+c.Failed == 0 {
		return 0, false
	}
	return float64(c.Passed) / float64(c.Passed+c.Failed), true
}

// Durations sum up the durations that were sent, in seconds. Known is false when there were none.
type Durations struct {
	Known              bool
	Avg, Sum, Min, Max float64
	P50, P95           float64
}

// Test is a managed test as it stands.
type Test struct {
	SuiteKey
	ID       uint64
	Scope    string
	Name     string
	Location string
	File     string
	Owner    string

	State State
	// StateSince is when the state began, 0 for a test about which nothing was ever concluded.
	StateSince  int64
	Probability float64
	// Verdict is the last event that set the state, nil when there was none.
	Verdict *testengine.Verdict

	FirstSeenAt   int64
	LastSeenAt    int64
	LastFailureAt int64
	// Counts and Durations are over the query's range.
	Counts    Counts
	Durations Durations
	// Recent are the last results on any branch, oldest first, at most 30; lists
	// and single tests have them.
	Recent []testengine.Result
	// Failures are the last failures, newest first, at most 3.
	Failures []Execution
}

// Execution is one execution as stored.
type Execution struct {
	// ID is the execution's name: log id, partition, offset and index.
	ID        string
	TestID    uint64
	RunID     string
	UploadID  string
	Branch    string
	CommitSHA string
	// At is when the execution began where its format has a clock (OTLP), else when it was received.
	At int64
	// Result is as sent; Retried says that the runner retried inside before it passed.
	Result      testengine.Result
	Retried     bool
	HasDuration bool
	Duration    float64
	Location    string
	// The rest is filled for failures (and for what retried inside).
	FailureReason   string
	FailureExpanded testengine.RawJSON
	Signature       uint64
	Tags            []testengine.Tag
}

// FailureGroup is the failures of one test with one signature.
type FailureGroup struct {
	Signature uint64
	// Reason and Expanded are those of the newest failure.
	Reason   string
	Expanded testengine.RawJSON
	Count    int
	FirstAt  int64
	LastAt   int64
	// Branches and Runs are the newest first, at most 10 each.
	Branches []string
	Runs     []string
}

// RunState says whether more uploads of a run are expected.
type RunState string

// The states of a run.
const (
	RunRunning  RunState = "running"
	RunFinished RunState = "finished"
)

// Run is all uploads with one run key.
type Run struct {
	SuiteKey
	ID            string
	Key           string
	Branch        string
	CommitSHA     string
	URL           string
	Number        string
	Message       string
	CI            string
	State         RunState
	FirstUploadAt int64
	LastUploadAt  int64
	Uploads       int
	Counts        Counts
	// Storm names the guard that fired, or "".
	Storm string
	// Tests, TestsFailed and TestsRetried count tests: all, those that failed
	// and never passed in the run, and those that failed and passed. Run fills
	// them; Runs may leave them 0.
	Tests, TestsFailed, TestsRetried int
}

// Result is pending while nothing has passed or failed, failed as soon as one
// execution failed (even if a retry passed), passed otherwise.
func (r Run) Result() string {
	switch {
	case r.Counts.Failed > 0:
		return "failed"
	case r.State == RunRunning || r.Counts.Passed == 0:
		return "pending"
	default:
		return "passed"
	}
}

// RunTest is one test within one run.
type RunTest struct {
	TestID   uint64
	Scope    string
	Name     string
	Location string
	File     string
	Owner    string
	State    State
	// Attempts are its executions in the run, oldest first.
	Attempts []Execution
}

// Passed reports whether an attempt passed: the test was retried with success.
func (t RunTest) Passed() bool {
	for i := range t.Attempts {
		if t.Attempts[i].Result == testengine.ResultPassed {
			return true
		}
	}
	return false
}

// Upload is the report of an upload's first delivery, and how often the same
// body came again.
type Upload struct {
	testengine.UploadReport
	Duplicates int
	// Chunks is in how many records the upload came.
	Chunks int
	// CollectorVersion is "" when it was not sent.
	CollectorVersion string
}
