// Package query is the language in which the page and the API ask a store: what
// a slice is, how a filter is written, which results come back, and the Store
// interface that an engine implements. It knows no engine and no HTTP.
//
// All moments are unix milliseconds of log time, 0 where there is none. All
// durations of tests are seconds. Lists are newest first unless a method says
// otherwise.
package query

import (
	"context"
	"errors"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

var (
	// ErrNotFound says that the store knows no such suite, test, run or upload;
	// the reader is told so with 404.
	ErrNotFound = errors.New("not found")
	// ErrNotReady says that the store is still opening; the reader is told to
	// come back in a moment with 503.
	ErrNotReady = errors.New("the store is still opening")
)

// Store answers questions. Its methods are safe for concurrent use, stop when
// ctx ends, and never block the writer for long. A method that is given a suite
// the store has not seen returns an empty result, not ErrNotFound: the token
// door knows which suites exist, and a new suite has no rows.
type Store interface {
	// Suites lists the suites that have rows, by organisation and name.
	Suites(ctx context.Context) ([]Suite, error)

	// Tests lists managed tests with counts over the query's range.
	Tests(ctx context.Context, q TestQuery) (Page[Test], error)
	// Test returns one test with its counts over the range, or ErrNotFound.
	Test(ctx context.Context, suite SuiteKey, id uint64, within Range) (Test, error)
	// History returns the executions of one test, newest first.
	History(ctx context.Context, q HistoryQuery) ([]Execution, error)
	// FailureGroups groups the failures of one test by signature, the most
	// recent group first.
	FailureGroups(ctx context.Context, q HistoryQuery) ([]FailureGroup, error)

	// Runs lists runs, newest first.
	Runs(ctx context.Context, q RunQuery) (Page[Run], error)
	// Run returns one run, or ErrNotFound.
	Run(ctx context.Context, suite SuiteKey, id string) (Run, error)
	// RunFailures lists the tests of a run that failed at least once, with all
	// their attempts in it: those that never passed first.
	RunFailures(ctx context.Context, suite SuiteKey, id string, paging Paging) (Page[RunTest], error)

	// Uploads lists upload reports, newest first.
	Uploads(ctx context.Context, q UploadQuery) (Page[Upload], error)
	// Upload returns one upload's report, or ErrNotFound (also when it is not processed yet).
	Upload(ctx context.Context, suite SuiteKey, id string) (Upload, error)

	// UploadHealth says how the uploads of a suite fared, by hour, problem and collector.
	UploadHealth(ctx context.Context, q UploadHealthQuery) (UploadHealth, error)

	// Slice computes measures over groups of executions.
	Slice(ctx context.Context, s Slice) (Table, error)
	// TagKeys lists the keys of tags (without BuiltinKeys), the most used first.
	TagKeys(ctx context.Context, suite SuiteKey, within Range) ([]string, error)
	// TagValues lists values of a key that begin with prefix, the most used first.
	TagValues(ctx context.Context, suite SuiteKey, key, prefix string, limit int) ([]string, error)

	// Verdicts lists events in log order, oldest first.
	Verdicts(ctx context.Context, q VerdictQuery) ([]testengine.Verdict, error)
	// Follow returns a channel that is closed when the store commits for the
	// next time after this call. Call Follow, ask, then wait: nothing is missed.
	Follow() <-chan struct{}
}

// SuiteKey names a suite. An empty Suite means all suites of Org, an empty Org
// all organisations, where a method takes several.
type SuiteKey struct {
	Org   string `json:"org"`
	Suite string `json:"suite"`
}

// Paging is one page of a list. Number counts from 1.
type Paging struct {
	Number, Size int
}

// Offset is the number of rows before the page.
func (p Paging) Offset() int { return max(p.Number-1, 0) * p.Size }

// Page is part of a list and the length of the whole.
type Page[T any] struct {
	Items []T
	Total int
}

// Range is a stretch of log time: Min <= time < Max. Zero is open.
type Range struct {
	Min, Max int64
}
