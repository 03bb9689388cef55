package testengine

// VerdictType names an event about a test or a run (detection events).
type VerdictType string

// The events.
const (
	TestNew         VerdictType = "test.new"
	FlakySuspected  VerdictType = "flaky.suspected"
	FlakyDetected   VerdictType = "flaky.detected"
	FlakyUpdated    VerdictType = "flaky.updated"
	FlakyHealed     VerdictType = "flaky.healed"
	FlakyStale      VerdictType = "flaky.stale"
	FlakyRetracted  VerdictType = "flaky.retracted"
	TestBroken      VerdictType = "test.broken"
	TestFixed       VerdictType = "test.fixed"
	IncidentOpened  VerdictType = "infra.incident.opened"
	IncidentClosed  VerdictType = "infra.incident.closed"
	DurationSlower  VerdictType = "duration.regressed"
	DurationFaster  VerdictType = "duration.recovered"
	QuarantineAdded VerdictType = "quarantine.added"
	QuarantineEnded VerdictType = "quarantine.released"
)

// Rule names the rule that spoke, with its version.
type Rule struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
}

// Verdict is one event about a test, with the evidence it rests on. Its JSON
// is what the API serves and what a pipeline emits.
type Verdict struct {
	// ID = hash(org, suite, test, variant, rule, version, type, episode): a repeat is harmless.
	ID    string      `json:"id"`
	Time  Time        `json:"time"`
	Type  VerdictType `json:"type"`
	Org   string      `json:"org"`
	Suite string      `json:"suite"`
	// TestID is 16 hexadecimal digits; empty for events of a run or a host.
	TestID   string `json:"test_id"`
	Scope    string `json:"scope"`
	Name     string `json:"name"`
	Location string `json:"location,omitempty"`
	File     string `json:"file_name,omitempty"`
	Variant  string `json:"variant"`
	// Owner is annotated behind detection; "" when nobody owns the file.
	Owner string `json:"owner"`
	Rule  Rule   `json:"rule"`
	// Probability is calibrated: of the events that say 0.9, nine in ten are right.
	Probability  float64  `json:"probability"`
	Signatures   []string `json:"signatures"`
	FirstFailure Time     `json:"first_failure"`
	LastFailure  Time     `json:"last_failure"`
	Episode      int      `json:"episode"`
	Evidence     Evidence `json:"evidence"`
}

// Evidence is what a verdict rests on. Lists are bounded, newest last.
type Evidence struct {
	FailureReasons []string `json:"failure_reasons"`
	Commits        []string `json:"commits"`
	// Executions are execution names (Block.ExecutionName).
	Executions []string `json:"executions"`
	Runs       []string `json:"runs,omitempty"`
	Branches   []string `json:"branches,omitempty"`
	// Counts and scores by name: passed, failed, transitions, weight, posterior_flaky, ...
	Numbers map[string]float64 `json:"numbers,omitempty"`
	// Note says in a sentence why.
	Note string `json:"note,omitempty"`
}

// Change is a record of the log by which somebody changes how a suite is judged
// or annotated. It goes through the log, so that a replay changes its mind at the
// same record.
type Change struct {
	ID    string `json:"id"`
	Org   string `json:"org"`
	Suite string `json:"suite"`
	// Type says what Body is: ChangeDetection or ChangeOwners. Whoever does not
	// know the type passes the change by.
	Type string  `json:"type"`
	Body RawJSON `json:"body"`
}

// The types of changes.
const (
	// ChangeDetection carries the suite's detection section of suites.yaml as a
	// JSON object; {} takes an earlier one back.
	ChangeDetection = "detection"
	// ChangeOwners carries a TESTOWNERS file as a JSON string.
	ChangeOwners = "owners"
)
