package query

// TestOrder names the column a list of tests is ordered by.
type TestOrder string

// The orders of tests. Ties are broken by the test's id.
const (
	// OrderBadness is flaky, broken, suspected, stale, healthy; within a state by probability, then the last failure.
	OrderBadness     TestOrder = "badness"
	OrderName        TestOrder = "name"
	OrderLastFailure TestOrder = "last_failure"
	OrderReliability TestOrder = "reliability"
	OrderDurationAvg TestOrder = "duration_avg"
	OrderDurationSum TestOrder = "duration_sum"
	OrderDurationMin TestOrder = "duration_min"
	OrderDurationMax TestOrder = "duration_max"
	OrderExecutions  TestOrder = "executions"
)

// TestQuery selects managed tests of a suite.
type TestQuery struct {
	SuiteKey
	// States keeps tests in one of these states; empty keeps all.
	States []State
	// Owner keeps tests of that owner; "" keeps all.
	Owner string
	// Search keeps tests whose scope, name or file contains the text, whatever its case.
	Search string
	// Filter picks executions first (tests without any are left out when it is
	// not empty), then groups by test.
	Filter Filter
	Range  Range
	Order  TestOrder
	// Ascending turns the order round.
	Ascending bool
	Paging    Paging
}

// HistoryQuery selects executions of one test.
type HistoryQuery struct {
	SuiteKey
	TestID uint64
	// Branch keeps one branch; "" keeps all.
	Branch string
	Range  Range
	Limit  int
}

// RunQuery selects runs of a suite.
type RunQuery struct {
	SuiteKey
	Branch string
	// Key keeps the run with this run key (build_id); "" keeps all.
	Key string
	// Result keeps runs whose Result is that; "" keeps all.
	Result string
	Range  Range
	Paging Paging
}

// UploadQuery selects uploads of a suite.
type UploadQuery struct {
	SuiteKey
	// RunID keeps uploads of one run; "" keeps all.
	RunID string
	// WithProblems keeps uploads with rejected records, problems or suite errors.
	WithProblems bool
	Range        Range
	Paging       Paging
}

// VerdictQuery selects events in log order.
type VerdictQuery struct {
	SuiteKey
	// TestID keeps events of one test; 0 keeps all.
	TestID uint64
	// After is the id of the last event seen; "" begins at the oldest. An id the
	// store does not know gives ErrNotFound.
	After string
	Limit int
	// Newest returns the last Limit events instead of the first, still oldest first; After is ignored.
	Newest bool
}
