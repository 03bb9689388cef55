package query

import (
	"fmt"
	"slices"
	"strings"
)

// Measure is what a slice computes of a group of executions.
type Measure string

// The measures. Durations are seconds, rates are fractions of 1.
const (
	Executions    Measure = "executions"
	Passed        Measure = "passed"
	Failed        Measure = "failed"
	Skipped       Measure = "skipped"
	Tests         Measure = "tests"
	Runs          Measure = "runs"
	FailureRate   Measure = "failure_rate" // failed / (passed + failed)
	Reliability   Measure = "reliability"  // passed / (passed + failed)
	P50Duration   Measure = "p50_duration"
	P90Duration   Measure = "p90_duration"
	P95Duration   Measure = "p95_duration"
	P99Duration   Measure = "p99_duration"
	AvgDuration   Measure = "avg_duration"
	MaxDuration   Measure = "max_duration"
	TotalDuration Measure = "total_duration"
)

// Measures lists all measures in the order they are offered.
var Measures = []Measure{
	Executions, Passed, Failed, Skipped, Tests, Runs, FailureRate, Reliability,
	P50Duration, P90Duration, P95Duration, P99Duration, AvgDuration, MaxDuration, TotalDuration,
}

// Keys that are no tags but stand beside them in filters and group-bys. All
// other keys are tags: an execution's own, then its upload's, then core tags.
const (
	KeyResult    = "result"     // passed, failed, skipped, pending, unknown
	KeySuite     = "suite"      // the suite's name
	KeyRun       = "run.id"     // run_...
	KeyTest      = "test.id"    // 16 hexadecimal digits
	KeyTestName  = "test.name"  // the name without its scope
	KeyTestScope = "test.scope" //
	KeyOwner     = "test.owner" // "" for nobody's
	KeyState     = "test.state" // State now
	KeyFile      = "code.file.path"
	KeyBranch    = "scm.branch"
	KeyCommit    = "scm.commit_sha"
	KeyDay       = "time.day"  // group-by only: 2026-11-23 (UTC)
	KeyHour      = "time.hour" // group-by only: 2026-11-23T14:00Z
)

// BuiltinKeys are the keys every store can group by.
var BuiltinKeys = []string{
	KeyResult, KeyBranch, KeyCommit, KeyFile, KeyTestScope, KeyTestName, KeyTest, KeyOwner, KeyState,
	KeyRun, KeySuite, KeyDay, KeyHour,
}

// The limits of a slice.
const (
	MaxGroupBys = 3
	MaxMeasures = 8
	MaxKeyBytes = 256
)

// Slice asks for measures over groups of executions: those of a suite (or of
// all) that a filter keeps in a stretch of time, grouped by up to three keys.
type Slice struct {
	SuiteKey
	Measures []Measure
	By       []string
	Filter   Filter
	Range    Range
	// Limit bounds the rows; the store says in Table.Truncated when there were more.
	Limit int
}

// Table is a slice's answer. A row has one cell a column: the keys first, as
// string (an execution without the tag gives ""), then the measures as float64
// or int64, nil where there is nothing to measure. Rows are ordered by time
// when a key is one, otherwise by the first measure, the greatest first; ties
// by the keys.
type Table struct {
	Columns   []string
	Rows      [][]any
	Truncated bool
}

// ParseMeasures reads a comma list of measures.
func ParseMeasures(text string) ([]Measure, error) {
	var measures []Measure
	for word := range strings.SplitSeq(text, ",") {
		m := Measure(strings.TrimSpace(word))
		if !slices.Contains(Measures, m) {
			return nil, &FieldError{Field: "measure", Reason: fmt.Sprintf("%q is no measure; there are %s", word, joinWords(Measures))}
		}
		if !slices.Contains(measures, m) {
			measures = append(measures, m)
		}
	}
	if len(measures) > MaxMeasures {
		return nil, &FieldError{Field: "measure", Reason: fmt.Sprintf("at most %d measures at a time, these are %d", MaxMeasures, len(measures))}
	}
	return measures, nil
}

// ParseBy reads a comma list of keys to group by; empty text groups everything into one row.
func ParseBy(text string) ([]string, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var keys []string
	for word := range strings.SplitSeq(text, ",") {
		key := strings.TrimSpace(word)
		if reason := badKey(key); reason != "" {
			return nil, &FieldError{Field: "by", Reason: reason}
		}
		if slices.Contains(keys, key) {
			return nil, &FieldError{Field: "by", Reason: fmt.Sprintf("%q is named twice", key)}
		}
		if slices.Contains(Measures, Measure(key)) {
			return nil, &FieldError{Field: "by", Reason: fmt.Sprintf("%q is a measure; group by a tag", key)}
		}
		keys = append(keys, key)
	}
	if len(keys) > MaxGroupBys {
		return nil, &FieldError{Field: "by", Reason: fmt.Sprintf("at most %d keys, these are %d", MaxGroupBys, len(keys))}
	}
	return keys, nil
}

// Columns are the names of a slice's columns: its keys, then its measures.
func (s *Slice) Columns() []string {
	columns := slices.Clone(s.By)
	for _, m := range s.Measures {
		columns = append(columns, string(m))
	}
	return columns
}

func joinWords[T ~string](words []T) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}
