package querytest

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// tests sums the executions up by test; nil filter keeps all.
func (s *Store) tests(key query.SuiteKey, r query.Range, f query.Filter) []*query.Test {
	byID := map[uint64]*query.Test{}
	var order []*query.Test
	groups := map[uint64][]*Execution{}
	for i := range s.Executions {
		e := &s.Executions[i]
		if !in(key, e.Org, e.Suite) {
			continue
		}
		t := byID[e.TestID]
		if t == nil {
			t = &query.Test{
				SuiteKey: e.SuiteKey, ID: e.TestID, Scope: e.Scope, Name: e.Name, File: e.File, Owner: e.Owner,
				Location: e.Location, State: query.StateHealthy, FirstSeenAt: e.At,
			}
			byID[e.TestID], order = t, append(order, t)
		}
		t.LastSeenAt = e.At
		t.Recent = append(t.Recent, e.Result)
		if e.Result == testengine.ResultFailed {
			t.LastFailureAt = e.At
			t.Failures = append([]query.Execution{e.Execution}, t.Failures[:min(len(t.Failures), 2)]...)
		}
		if within(r, e.At) && s.keeps(f, e) {
			count(&t.Counts, e.Result)
			groups[e.TestID] = append(groups[e.TestID], e)
		}
	}
	s.conclude(byID)
	return slices.DeleteFunc(order, func(t *query.Test) bool {
		t.Recent = t.Recent[max(0, len(t.Recent)-30):]
		t.Durations = durations(groups[t.ID])
		return len(f) > 0 && (len(groups[t.ID]) == 0 || !keepsGroup(f, groups[t.ID]))
	})
}

// conclude sets the tests' states from the events.
func (s *Store) conclude(byID map[uint64]*query.Test) {
	for i := range s.Events {
		v := &s.Events[i]
		id, err := testengine.ParseID(v.TestID)
		t := byID[id]
		state, ok := query.StateAfter(v.Type)
		if err != nil || t == nil || !ok {
			continue
		}
		if t.State != state {
			t.StateSince = int64(v.Time)
		}
		t.State, t.Verdict, t.Probability = state, v, v.Probability
	}
}

func count(c *query.Counts, r testengine.Result) {
	switch r {
	case testengine.ResultPassed:
		c.Passed++
	case testengine.ResultFailed:
		c.Failed++
	case testengine.ResultSkipped:
		c.Skipped++
	case testengine.ResultPending:
		c.Pending++
	case testengine.ResultUnknown:
		c.Unknown++
	}
}

func durations(list []*Execution) query.Durations {
	values := sortedDurations(list)
	if len(values) == 0 {
		return query.Durations{}
	}
	d := query.Durations{Known: true, Min: values[0], Max: values[len(values)-1]}
	for _, v := range values {
		d.Sum += v
	}
	d.Avg = d.Sum / float64(len(values))
	d.P50, d.P95 = quantile(values, 0.5), quantile(values, 0.95)
	return d
}

// Tests lists tests.
func (s *Store) Tests(ctx context.Context, q query.TestQuery) (query.Page[query.Test], error) {
	done, err := s.read(ctx)
	if err != nil {
		return query.Page[query.Test]{}, err
	}
	defer done()
	var list []query.Test
	for _, t := range s.tests(q.SuiteKey, q.Range, q.Filter) {
		text := strings.ToLower(t.Scope + " " + t.Name + " " + t.File)
		if (len(q.States) == 0 || slices.Contains(q.States, t.State)) && (q.Owner == "" || q.Owner == t.Owner) &&
			strings.Contains(text, strings.ToLower(q.Search)) {
			list = append(list, *t)
		}
	}
	slices.SortStableFunc(list, func(a, b query.Test) int {
		c := compareTests(q.Order, &a, &b)
		if q.Ascending {
			c = -c
		}
		return cmp.Or(c, cmp.Compare(a.ID, b.ID))
	})
	return cut(list, q.Paging), nil
}

// compareTests puts the greater one first, names in order of the alphabet.
func compareTests(order query.TestOrder, a, b *query.Test) int {
	reliability := func(t *query.Test) float64 {
		r, ok := t.Counts.Reliability()
		if !ok {
			return -1
		}
		return r
	}
	switch order {
	case query.OrderName:
		return strings.Compare(a.Scope+" "+a.Name, b.Scope+" "+b.Name)
	case query.OrderLastFailure:
		return cmp.Compare(b.LastFailureAt, a.LastFailureAt)
	case query.OrderReliability:
		return cmp.Compare(reliability(b), reliability(a))
	case query.OrderDurationAvg:
		return cmp.Compare(b.Durations.Avg, a.Durations.Avg)
	case query.OrderDurationSum:
		return cmp.Compare(b.Durations.Sum, a.Durations.Sum)
	case query.OrderDurationMin:
		return cmp.Compare(b.Durations.Min, a.Durations.Min)
	case query.OrderDurationMax:
		return cmp.Compare(b.Durations.Max, a.Durations.Max)
	case query.OrderExecutions:
		return cmp.Compare(b.Counts.Total(), a.Counts.Total())
	default:
		return cmp.Or(cmp.Compare(slices.Index(query.States, a.State), slices.Index(query.States, b.State)),
			cmp.Compare(b.Probability, a.Probability), cmp.Compare(b.LastFailureAt, a.LastFailureAt))
	}
}

// Test returns one test.
func (s *Store) Test(ctx context.Context, suite query.SuiteKey, id uint64, r query.Range) (query.Test, error) {
	done, err := s.read(ctx)
	if err != nil {
		return query.Test{}, err
	}
	defer done()
	for _, t := range s.tests(suite, r, nil) {
		if t.ID == id {
			return *t, nil
		}
	}
	return query.Test{}, query.ErrNotFound
}

// History returns a test's executions, newest first.
func (s *Store) History(ctx context.Context, q query.HistoryQuery) ([]query.Execution, error) {
	done, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	var list []query.Execution
	for i := range slices.Backward(s.Executions) {
		e := &s.Executions[i]
		if in(q.SuiteKey, e.Org, e.Suite) && e.TestID == q.TestID && within(q.Range, e.At) && (q.Branch == "" || q.Branch == e.Branch) {
			list = append(list, e.Execution)
		}
	}
	if q.Limit > 0 {
		list = list[:min(q.Limit, len(list))]
	}
	return list, nil
}

// FailureGroups groups a test's failures by signature.
func (s *Store) FailureGroups(ctx context.Context, q query.HistoryQuery) ([]query.FailureGroup, error) {
	limit := q.Limit
	q.Limit = 0
	list, err := s.History(ctx, q)
	if err != nil {
		return nil, err
	}
	var groups []query.FailureGroup
	for _, e := range list {
		if e.Result != testengine.ResultFailed && !e.Retried {
			continue
		}
		i := slices.IndexFunc(groups, func(g query.FailureGroup) bool { return g.Signature == e.Signature })
		if i < 0 {
			i = len(groups)
			groups = append(groups, query.FailureGroup{Signature: e.Signature, Reason: e.FailureReason, Expanded: e.FailureExpanded, LastAt: e.At})
		}
		g := &groups[i]
		g.Count++
		g.FirstAt = e.At
		if len(g.Runs) < 10 && !slices.Contains(g.Runs, e.RunID) {
			g.Runs = append(g.Runs, e.RunID)
		}
		if len(g.Branches) < 10 && !slices.Contains(g.Branches, e.Branch) {
			g.Branches = append(g.Branches, e.Branch)
		}
	}
	if limit > 0 {
		groups = groups[:min(limit, len(groups))]
	}
	return groups, nil
}

// RunFailures lists the tests of a run that failed.
func (s *Store) RunFailures(ctx context.Context, suite query.SuiteKey, id string, p query.Paging) (query.Page[query.RunTest], error) {
	done, err := s.read(ctx)
	if err != nil {
		return query.Page[query.RunTest]{}, err
	}
	defer done()
	state := map[uint64]query.State{}
	for _, t := range s.tests(suite, query.Range{}, nil) {
		state[t.ID] = t.State
	}
	byID := map[uint64]*query.RunTest{}
	var order []*query.RunTest
	for i := range s.Executions {
		e := &s.Executions[i]
		if e.RunID != id || e.SuiteKey != suite {
			continue
		}
		t := byID[e.TestID]
		if t == nil {
			t = &query.RunTest{TestID: e.TestID, Scope: e.Scope, Name: e.Name, Location: e.Location, File: e.File, Owner: e.Owner, State: state[e.TestID]}
			byID[e.TestID], order = t, append(order, t)
		}
		t.Attempts = append(t.Attempts, e.Execution)
	}
	var failed, retried []query.RunTest
	for _, t := range order {
		if !slices.ContainsFunc(t.Attempts, func(e query.Execution) bool { return e.Result == testengine.ResultFailed || e.Retried }) {
			continue
		}
		if t.Passed() {
			retried = append(retried, *t)
		} else {
			failed = append(failed, *t)
		}
	}
	return cut(append(failed, retried...), p), nil
}
