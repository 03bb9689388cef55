// Package querytest is a query.Store in memory: for tests of the page and the
// API, and as a slow, plain reading of what an engine's answers must be. It is
// no part of the binary.
package querytest

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Execution is one stored execution with the facts of its upload and its test.
type Execution struct {
	query.Execution
	query.SuiteKey
	Scope, Name, File, Owner string
	// AllTags are the execution's, its upload's and the core tags.
	AllTags map[string]string
}

// Store keeps everything in slices; set the fields before it is used.
type Store struct {
	mu         sync.RWMutex
	Branch     string
	Executions []Execution
	RunList    []query.Run
	UploadList []query.Upload
	Events     []testengine.Verdict
	// Err, when set, is returned by every method.
	Err     error
	changed chan struct{}
}

var _ query.Store = (*Store)(nil)

// Change lets f alter the store, then wakes all followers.
func (s *Store) Change(f func(*Store)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// Follow returns a channel closed by the next Change.
func (s *Store) Follow() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

func (s *Store) read(ctx context.Context) (func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	if s.Err != nil {
		s.mu.RUnlock()
		return nil, s.Err
	}
	return s.mu.RUnlock, nil
}

func in(key query.SuiteKey, org, suite string) bool {
	return (key.Org == "" || key.Org == org) && (key.Suite == "" || key.Suite == suite)
}

func within(r query.Range, at int64) bool { return at >= r.Min && (r.Max == 0 || at < r.Max) }

func cut[T any](items []T, p query.Paging) query.Page[T] {
	total := len(items)
	from := min(p.Offset(), total)
	to := total
	if p.Size > 0 {
		to = min(from+p.Size, total)
	}
	return query.Page[T]{Items: items[from:to], Total: total}
}

// Suites lists the suites that have executions or uploads.
func (s *Store) Suites(ctx context.Context) ([]query.Suite, error) {
	done, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	found := map[query.SuiteKey]*query.Suite{}
	for i := range s.UploadList {
		u := &s.UploadList[i]
		key := query.SuiteKey{Org: u.Org, Suite: u.Suite}
		suite := found[key]
		if suite == nil {
			suite = &query.Suite{SuiteKey: key, DefaultBranch: s.Branch, ByState: map[query.State]int{}, FirstUploadAt: u.Time}
			found[key] = suite
		}
		suite.Executions += int64(u.Accepted)
		suite.FirstUploadAt = min(suite.FirstUploadAt, u.Time)
		suite.LastUploadAt = max(suite.LastUploadAt, u.Time)
	}
	list := make([]query.Suite, 0, len(found))
	for key, suite := range found {
		for _, t := range s.tests(key, query.Range{}, nil) {
			suite.Tests++
			suite.ByState[t.State]++
		}
		for i := range s.RunList {
			if s.RunList[i].SuiteKey == key {
				suite.Runs++
			}
		}
		list = append(list, *suite)
	}
	slices.SortFunc(list, func(a, b query.Suite) int { return strings.Compare(a.Org+"/"+a.Suite, b.Org+"/"+b.Suite) })
	return list, nil
}

// Runs lists runs, newest first.
func (s *Store) Runs(ctx context.Context, q query.RunQuery) (query.Page[query.Run], error) {
	done, err := s.read(ctx)
	if err != nil {
		return query.Page[query.Run]{}, err
	}
	defer done()
	var list []query.Run
	for _, r := range slices.Backward(s.RunList) {
		if in(q.SuiteKey, r.Org, r.Suite) && within(q.Range, r.FirstUploadAt) &&
			(q.Branch == "" || q.Branch == r.Branch) && (q.Key == "" || q.Key == r.Key) &&
			(q.Result == "" || q.Result == r.Result()) {
			list = append(list, r)
		}
	}
	return cut(list, q.Paging), nil
}

// Run returns one run.
func (s *Store) Run(ctx context.Context, suite query.SuiteKey, id string) (query.Run, error) {
	done, err := s.read(ctx)
	if err != nil {
		return query.Run{}, err
	}
	defer done()
	for _, r := range s.RunList {
		if r.SuiteKey == suite && r.ID == id {
			return r, nil
		}
	}
	return query.Run{}, query.ErrNotFound
}

// Uploads lists uploads, newest first.
func (s *Store) Uploads(ctx context.Context, q query.UploadQuery) (query.Page[query.Upload], error) {
	done, err := s.read(ctx)
	if err != nil {
		return query.Page[query.Upload]{}, err
	}
	defer done()
	var list []query.Upload
	for _, u := range slices.Backward(s.UploadList) {
		if in(q.SuiteKey, u.Org, u.Suite) && within(q.Range, u.Time) && (q.RunID == "" || q.RunID == u.RunID) &&
			(!q.WithProblems || u.Rejected > 0 || len(u.Problems) > 0 || u.SuiteErrors > 0) {
			list = append(list, u)
		}
	}
	return cut(list, q.Paging), nil
}

// Upload returns one upload.
func (s *Store) Upload(ctx context.Context, suite query.SuiteKey, id string) (query.Upload, error) {
	done, err := s.read(ctx)
	if err != nil {
		return query.Upload{}, err
	}
	defer done()
	for _, u := range s.UploadList {
		if u.Org == suite.Org && u.Suite == suite.Suite && u.UploadID == id {
			return u, nil
		}
	}
	return query.Upload{}, query.ErrNotFound
}

// Verdicts lists events, oldest first.
func (s *Store) Verdicts(ctx context.Context, q query.VerdictQuery) ([]testengine.Verdict, error) {
	done, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	var list []testengine.Verdict
	seen := q.After == "" || q.Newest
	for _, v := range s.Events {
		if seen && in(q.SuiteKey, v.Org, v.Suite) && (q.TestID == 0 || v.TestID == testengine.FormatID(q.TestID)) {
			list = append(list, v)
		}
		seen = seen || v.ID == q.After
	}
	if !seen {
		return nil, query.ErrNotFound
	}
	if q.Limit > 0 && len(list) > q.Limit {
		if q.Newest {
			return list[len(list)-q.Limit:], nil
		}
		list = list[:q.Limit]
	}
	return list, nil
}
