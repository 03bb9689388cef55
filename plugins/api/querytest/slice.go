package querytest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func (s *Store) value(e *Execution, key string) string {
	switch key {
	case query.KeyResult:
		return e.Result.String()
	case query.KeySuite:
		return e.Suite
	case query.KeyRun:
		return e.RunID
	case query.KeyTest:
		return testengine.FormatID(e.TestID)
	case query.KeyTestName:
		return e.Name
	case query.KeyTestScope:
		return e.Scope
	case query.KeyOwner:
		return e.Owner
	case query.KeyFile:
		return e.File
	case query.KeyBranch:
		return e.Branch
	case query.KeyCommit:
		return e.CommitSHA
	case query.KeyDay:
		return time.UnixMilli(e.At).UTC().Format(time.DateOnly)
	case query.KeyHour:
		return time.UnixMilli(e.At).UTC().Format("2006-01-02T15:00Z")
	case query.KeyState:
		return string(s.stateOf(e.TestID))
	default:
		return e.AllTags[key]
	}
}

func (s *Store) stateOf(id uint64) query.State {
	state := query.StateHealthy
	for i := range s.Events {
		if s.Events[i].TestID == testengine.FormatID(id) {
			if next, ok := query.StateAfter(s.Events[i].Type); ok {
				state = next
			}
		}
	}
	return state
}

func holds(t query.Term, value string) bool {
	if t.Match == query.MatchPrefix {
		return strings.HasPrefix(value, t.Value)
	}
	return value == t.Value
}

// keeps applies the terms that pick executions.
func (s *Store) keeps(f query.Filter, e *Execution) bool {
	wanted := map[string]bool{}
	for _, t := range f {
		if t.Match == query.MatchAny || t.Match == query.MatchOnly {
			continue
		}
		hit := holds(t, s.value(e, t.Key))
		if t.Not {
			if hit {
				return false
			}
			continue
		}
		wanted[t.Key] = wanted[t.Key] || hit
	}
	for _, hit := range wanted {
		if !hit {
			return false
		}
	}
	return true
}

// keepsGroup applies the terms that speak about groups.
func keepsGroup(f query.Filter, group []*Execution) bool {
	for _, t := range f {
		if t.Match != query.MatchAny && t.Match != query.MatchOnly {
			continue
		}
		hits := 0
		for _, e := range group {
			if e.Result.String() == t.Value {
				hits++
			}
		}
		hit := hits > 0 && (t.Match == query.MatchAny || hits == len(group))
		if hit == t.Not {
			return false
		}
	}
	return true
}

// Slice computes measures.
func (s *Store) Slice(ctx context.Context, q query.Slice) (query.Table, error) {
	done, err := s.read(ctx)
	if err != nil {
		return query.Table{}, err
	}
	defer done()
	groups := map[string][]*Execution{}
	for i := range s.Executions {
		e := &s.Executions[i]
		if !in(q.SuiteKey, e.Org, e.Suite) || !within(q.Range, e.At) || !s.keeps(q.Filter, e) {
			continue
		}
		parts := make([]string, len(q.By))
		for j, key := range q.By {
			parts[j] = s.value(e, key)
		}
		name := strings.Join(parts, "\x00")
		groups[name] = append(groups[name], e)
	}
	table := query.Table{Columns: q.Columns(), Rows: [][]any{}}
	for name, group := range groups {
		if !keepsGroup(q.Filter, group) {
			continue
		}
		var row []any
		if len(q.By) > 0 {
			for part := range strings.SplitSeq(name, "\x00") {
				row = append(row, part)
			}
		}
		for _, m := range q.Measures {
			row = append(row, measure(m, group))
		}
		table.Rows = append(table.Rows, row)
	}
	sortRows(&table, q.By)
	if q.Limit > 0 && len(table.Rows) > q.Limit {
		table.Rows, table.Truncated = table.Rows[:q.Limit], true
	}
	return table, nil
}

func measure(m query.Measure, group []*Execution) any {
	var c query.Counts
	tests, runs := map[uint64]bool{}, map[string]bool{}
	for _, e := range group {
		count(&c, e.Result)
		tests[e.TestID], runs[e.RunID] = true, true
	}
	switch m {
	case query.Executions:
		return c.Total()
	case query.Passed:
		return c.Passed
	case query.Failed:
		return c.Failed
	case query.Skipped:
		return c.Skipped
	case query.Tests:
		return int64(len(tests))
	case query.Runs:
		return int64(len(runs))
	case query.Reliability, query.FailureRate:
		r, ok := c.Reliability()
		if !ok {
			return nil
		}
		if m == query.FailureRate {
			r = 1 - r
		}
		return r
	default:
		return durationMeasure(m, group)
	}
}

func durationMeasure(m query.Measure, group []*Execution) any {
	d := durations(group)
	values := sortedDurations(group)
	switch {
	case !d.Known:
		return nil
	case m == query.AvgDuration:
		return d.Avg
	case m == query.MaxDuration:
		return d.Max
	case m == query.TotalDuration:
		return d.Sum
	}
	return quantile(values, map[query.Measure]float64{
		query.P50Duration: 0.5, query.P90Duration: 0.9, query.P95Duration: 0.95, query.P99Duration: 0.99,
	}[m])
}

func sortedDurations(group []*Execution) []float64 {
	var values []float64
	for _, e := range group {
		if e.HasDuration {
			values = append(values, e.Duration)
		}
	}
	slices.Sort(values)
	return values
}

func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

func sortRows(t *query.Table, by []string) {
	byTime := slices.ContainsFunc(by, func(k string) bool { return k == query.KeyDay || k == query.KeyHour })
	slices.SortFunc(t.Rows, func(a, b []any) int {
		if !byTime && len(a) > len(by) {
			if c := cmp.Compare(number(b[len(by)]), number(a[len(by)])); c != 0 {
				return c
			}
		}
		if byTime {
			i := slices.IndexFunc(by, func(k string) bool { return k == query.KeyDay || k == query.KeyHour })
			if c := cmp.Compare(a[i].(string), b[i].(string)); c != 0 {
				return c
			}
		}
		for i := range by {
			if c := cmp.Compare(a[i].(string), b[i].(string)); c != 0 {
				return c
			}
		}
		return 0
	})
}

func number(cell any) float64 {
	switch n := cell.(type) {
	case float64:
		return n
	case int64:
		return float64(n)
	}
	return -1
}

// TagKeys lists the keys of tags, the most used tags first.
func (s *Store) TagKeys(ctx context.Context, suite query.SuiteKey, r query.Range) ([]string, error) {
	done, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	used := map[string]int{}
	for i := range s.Executions {
		if e := &s.Executions[i]; in(suite, e.Org, e.Suite) && within(r, e.At) {
			for key := range e.AllTags {
				used[key]++
			}
		}
	}
	return mostUsed(used), nil
}

// TagValues lists the values of a key.
func (s *Store) TagValues(ctx context.Context, suite query.SuiteKey, key, prefix string, limit int) ([]string, error) {
	done, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	used := map[string]int{}
	for i := range s.Executions {
		e := &s.Executions[i]
		if v := s.value(e, key); in(suite, e.Org, e.Suite) && v != "" && strings.HasPrefix(v, prefix) {
			used[v]++
		}
	}
	list := mostUsed(used)
	return list[:min(limit, len(list))], nil
}

func mostUsed(used map[string]int) []string {
	list := make([]string, 0, len(used))
	for word := range used {
		list = append(list, word)
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(cmp.Compare(used[b], used[a]), strings.Compare(a, b)) })
	return list
}
