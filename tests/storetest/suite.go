package storetest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Run asks the engine, which holds the world's records, everything.
func Run(t *testing.T, w *World, engine query.Store) {
	t.Helper()
	t.Run("slices equal the plain reading", func(t *testing.T) { slicesAgree(t, w, engine) })
	t.Run("lists of tests equal the plain reading", func(t *testing.T) { testsAgree(t, w, engine) })
	t.Run("one test's page equals the plain reading", func(t *testing.T) { historiesAgree(t, w, engine) })
	t.Run("runs and uploads equal the plain reading", func(t *testing.T) { runsAgree(t, w, engine) })
	t.Run("the health of uploads equals the plain reading", func(t *testing.T) { uploadHealthAgrees(t, w, engine) })
	t.Run("verdicts come in log order", func(t *testing.T) { verdictsAgree(t, w, engine) })
	t.Run("suites, health and tags equal the plain reading", func(t *testing.T) { restAgrees(t, w, engine) })
	t.Run("what is unknown is empty or not found", func(t *testing.T) { unknownIsEmpty(t, engine) })
}

const (
	randomSlices = 120
	randomTests  = 40
)

func slicesAgree(t *testing.T, w *World, engine query.Store) {
	for i := range randomSlices {
		s := w.slice()
		want, err := w.Plain.Slice(t.Context(), s)
		require.NoError(t, err)
		got, err := engine.Slice(t.Context(), s)
		require.NoError(t, err)
		message := fmt.Sprintf("slice %d: %v by %q filter %s", i, s.Measures, s.By, s.Filter)
		require.Equal(t, want.Columns, got.Columns, message)
		require.Equal(t, want.Truncated, got.Truncated, message)
		if s.Limit > 0 {
			require.Len(t, got.Rows, len(want.Rows), message) // ties at the cut may fall either way
			continue
		}
		requireOrder(t, s, got.Rows, message)
		requireRows(t, want.Rows, got.Rows, len(s.By), message)
	}
}

// requireRows compares rows by their keys, floats to their last digits: engines
// add up in another order.
func requireRows(t *testing.T, want, got [][]any, keys int, message string) {
	t.Helper()
	require.Len(t, got, len(want), message)
	byKeys := func(a, b []any) int { return cmp.Compare(fmt.Sprintf("%q", a[:keys]), fmt.Sprintf("%q", b[:keys])) }
	slices.SortFunc(want, byKeys)
	slices.SortFunc(got, byKeys)
	for i, row := range want {
		for j, cell := range row {
			number, ok := cell.(float64)
			if !ok {
				require.Equal(t, cell, got[i][j], message)
				continue
			}
			require.InDelta(t, number, got[i][j], 1e-9*max(1, math.Abs(number)), message)
		}
	}
}

// requireOrder holds the order that query.Table promises.
func requireOrder(t *testing.T, s query.Slice, rows [][]any, message string) {
	t.Helper()
	column := slices.IndexFunc(s.By, func(key string) bool { return key == query.KeyDay || key == query.KeyHour })
	for i := 1; i < len(rows); i++ {
		if column >= 0 {
			require.LessOrEqual(t, rows[i-1][column], rows[i][column], message)
		} else {
			require.GreaterOrEqual(t, number(rows[i-1][len(s.By)]), number(rows[i][len(s.By)]), message)
		}
	}
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

func (w *World) slice() query.Slice {
	s := query.Slice{SuiteKey: w.suite(), Range: w.span(), Filter: w.filter()}
	for range 1 + w.rng.IntN(4) {
		s.Measures = append(s.Measures, pick(w, query.Measures))
	}
	for range w.rng.IntN(query.MaxGroupBys + 1) {
		if key := pick(w, w.Keys); !slices.Contains(s.By, key) {
			s.By = append(s.By, key)
		}
	}
	if w.rng.IntN(8) == 0 {
		s.Limit = 1 + w.rng.IntN(4)
	}
	return s
}

func (w *World) suite() query.SuiteKey {
	return pick(w, append(slices.Clone(w.Suites), query.SuiteKey{Org: "acme"}, query.SuiteKey{}))
}

func (w *World) span() (r query.Range) {
	if w.rng.IntN(2) == 0 {
		r.Min = w.FirstAt + w.rng.Int64N(w.LastAt-w.FirstAt)
	}
	if w.rng.IntN(4) == 0 {
		r.Max = r.Min + 1 + w.rng.Int64N(w.LastAt-w.FirstAt)
	}
	return r
}

var filterValues = map[string][]string{
	"host.type": {"c7g", "m6i", "own tags win"}, "host.arch": {"arm64", "x'y\"z"}, "cloud.region": {"eu", "mapped"}, "shard": {"1", "mapped"},
	"build.id": {"build-1", "build-2"}, query.KeyResult: {"passed", "failed"}, query.KeyBranch: {"main", "fix/a", "o'brien\"; DROP TABLE tests; --"},
	query.KeyOwner: {"payments"}, query.KeyTestName: {"does 1", "does"}, query.KeyTestScope: {"Scope 1"}, query.KeyFile: {"spec/1_spec.rb", "spec"},
	query.KeyState: {"flaky", "healthy"}, query.KeySuite: {"unit"}, query.KeyCommit: {"c1"},
}

func (w *World) filter() (f query.Filter) {
	if w.rng.IntN(3) == 0 {
		return nil
	}
	keys := make([]string, 0, len(filterValues))
	for key := range filterValues {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for range 1 + w.rng.IntN(3) {
		key := pick(w, keys)
		term := query.Term{Key: key, Value: pick(w, append(slices.Clone(filterValues[key]), "")), Not: w.rng.IntN(4) == 0}
		switch {
		case key == query.KeyResult:
			term.Value = pick(w, filterValues[key])
			term.Match = pick(w, []query.Match{query.MatchIs, query.MatchAny, query.MatchOnly})
		case w.rng.IntN(4) == 0:
			term.Match = query.MatchPrefix
		}
		f = append(f, term)
	}
	return f
}

func testsAgree(t *testing.T, w *World, engine query.Store) {
	orders := []query.TestOrder{
		query.OrderBadness, query.OrderName, query.OrderLastFailure, query.OrderReliability, query.OrderDurationAvg, query.OrderDurationSum,
		query.OrderDurationMin, query.OrderDurationMax, query.OrderExecutions, "",
	}
	for i := range randomTests {
		q := query.TestQuery{
			SuiteKey: pick(w, w.Suites), Filter: w.filter(), Range: w.span(), Order: orders[i%len(orders)], Ascending: w.rng.IntN(3) == 0,
			Paging: query.Paging{Number: 1 + w.rng.IntN(3), Size: 1 + w.rng.IntN(8)},
		}
		if w.rng.IntN(3) == 0 {
			q.States = []query.State{pick(w, query.States), pick(w, query.States)}
		}
		if w.rng.IntN(4) == 0 {
			q.Owner = "payments"
		}
		if w.rng.IntN(4) == 0 {
			q.Search = pick(w, []string{"SCOPE 1", "does 1", "2_spec", "'"})
		}
		want, err := w.Plain.Tests(t.Context(), q)
		require.NoError(t, err)
		got, err := engine.Tests(t.Context(), q)
		require.NoError(t, err)
		message := fmt.Sprintf("tests %d: %+v", i, q)
		require.Equal(t, want.Total, got.Total, message)
		require.Len(t, got.Items, len(want.Items), message)
		for j := range want.Items {
			requireTest(t, want.Items[j], got.Items[j], message)
		}
	}
}

func requireTest(t *testing.T, want, got query.Test, message string) {
	t.Helper()
	list := func(d query.Durations) []float64 { return []float64{d.Avg, d.Sum, d.Min, d.Max, d.P50, d.P95} }
	require.InDeltaSlice(t, list(want.Durations), list(got.Durations), 1e-6, message)
	require.Equal(t, want.Durations.Known, got.Durations.Known, message)
	require.Equal(t, plainTest(want), plainTest(got), message)
}

// plainTest leaves out what may differ: the last digits of sums, empty and nil lists.
func plainTest(t query.Test) query.Test {
	t.Durations = query.Durations{}
	if t.Verdict != nil {
		t.Verdict = &testengine.Verdict{ID: t.Verdict.ID}
	}
	if len(t.Failures) == 0 {
		t.Failures = nil
	}
	return t
}

func historiesAgree(t *testing.T, w *World, engine query.Store) {
	for _, suite := range w.Suites {
		for _, test := range w.tests[suite] {
			q := query.HistoryQuery{SuiteKey: suite, TestID: test.id, Range: w.span(), Limit: w.rng.IntN(20)}
			if w.rng.IntN(3) == 0 {
				q.Branch = pick(w, w.Branches)
			}
			want, err := w.Plain.History(t.Context(), q)
			require.NoError(t, err)
			got, err := engine.History(t.Context(), q)
			require.NoError(t, err)
			require.Equal(t, want, got, "%+v", q)

			wantGroups, err := w.Plain.FailureGroups(t.Context(), q)
			require.NoError(t, err)
			gotGroups, err := engine.FailureGroups(t.Context(), q)
			require.NoError(t, err)
			require.Equal(t, wantGroups, gotGroups, "%+v", q)

			wantTest, wantErr := w.Plain.Test(t.Context(), suite, test.id, q.Range)
			gotTest, gotErr := engine.Test(t.Context(), suite, test.id, q.Range)
			require.ErrorIs(t, gotErr, wantErr)
			requireTest(t, wantTest, gotTest, "")
		}
	}
}

func runsAgree(t *testing.T, w *World, engine query.Store) {
	for i := range 20 {
		q := query.RunQuery{SuiteKey: pick(w, w.Suites), Range: w.span(), Paging: query.Paging{Number: 1 + i%2, Size: 3}}
		q.Result = pick(w, []string{"", "", "failed", "passed", "pending"})
		q.Branch = pick(w, []string{"", "", "main"})
		want, err := w.Plain.Runs(t.Context(), q)
		require.NoError(t, err)
		got, err := engine.Runs(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, want.Total, got.Total, "%+v", q)
		require.Len(t, got.Items, len(want.Items))
		for j, run := range want.Items {
			run.Tests, run.TestsFailed, run.TestsRetried = 0, 0, 0
			require.Equal(t, run, got.Items[j])
		}
	}
	for _, run := range w.Plain.RunList {
		got, err := engine.Run(t.Context(), run.SuiteKey, run.ID)
		require.NoError(t, err)
		require.Equal(t, run, got)
		want, err := w.Plain.RunFailures(t.Context(), run.SuiteKey, run.ID, query.Paging{Number: 1, Size: 5})
		require.NoError(t, err)
		failures, err := engine.RunFailures(t.Context(), run.SuiteKey, run.ID, query.Paging{Number: 1, Size: 5})
		require.NoError(t, err)
		require.Equal(t, want.Total, failures.Total)
		require.Len(t, failures.Items, len(want.Items))
		for i := range want.Items {
			require.Equal(t, want.Items[i], failures.Items[i])
		}
	}
	for _, q := range []query.UploadQuery{
		{SuiteKey: w.Suites[0], Paging: query.Paging{Number: 1, Size: 5}},
		{SuiteKey: w.Suites[1], WithProblems: true, Range: w.span(), Paging: query.Paging{Number: 1, Size: 50}},
		{SuiteKey: w.Plain.RunList[0].SuiteKey, RunID: w.Plain.RunList[0].ID, Paging: query.Paging{Number: 1, Size: 50}},
	} {
		want, err := w.Plain.Uploads(t.Context(), q)
		require.NoError(t, err)
		got, err := engine.Uploads(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, want.Total, got.Total)
		require.Len(t, got.Items, len(want.Items))
		for i := range want.Items {
			require.Equal(t, want.Items[i], got.Items[i])
		}
	}
	for _, u := range w.Plain.UploadList[:5] {
		got, err := engine.Upload(t.Context(), query.SuiteKey{Org: u.Org, Suite: u.Suite}, u.UploadID)
		require.NoError(t, err)
		require.Equal(t, u, got)
	}
}

func verdictsAgree(t *testing.T, w *World, engine query.Store) {
	middle := w.Plain.Events[len(w.Plain.Events)/2]
	id, err := testengine.ParseID(middle.TestID)
	require.NoError(t, err)
	for _, q := range []query.VerdictQuery{
		{},
		{Limit: 3},
		{After: middle.ID},
		{After: middle.ID, Limit: 2},
		{Newest: true, Limit: 4},
		{SuiteKey: w.Suites[0], After: middle.ID},
		{SuiteKey: w.Suites[1], Newest: true, Limit: 2},
		{TestID: id},
	} {
		want, err := w.Plain.Verdicts(t.Context(), q)
		require.NoError(t, err)
		got, err := engine.Verdicts(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, want, got, "%+v", q)
	}
	_, err = engine.Verdicts(t.Context(), query.VerdictQuery{After: "unknown"})
	require.ErrorIs(t, err, query.ErrNotFound)
}

func restAgrees(t *testing.T, w *World, engine query.Store) {
	wantSuites, err := w.Plain.Suites(t.Context())
	require.NoError(t, err)
	suites, err := engine.Suites(t.Context())
	require.NoError(t, err)
	require.Equal(t, wantSuites, suites)

	for _, suite := range w.Suites {
		want, err := w.Plain.TagKeys(t.Context(), suite, query.Range{})
		require.NoError(t, err)
		got, err := engine.TagKeys(t.Context(), suite, query.Range{})
		require.NoError(t, err)
		slices.SortFunc(want, cmp.Compare[string])
		slices.SortFunc(got, cmp.Compare[string])
		require.Equal(t, want, got)
		for _, key := range w.Keys {
			want, err := w.Plain.TagValues(t.Context(), suite, key, "c", 3)
			require.NoError(t, err)
			got, err := engine.TagValues(t.Context(), suite, key, "c", 3)
			require.NoError(t, err)
			require.ElementsMatch(t, want, got, key)
		}
	}
}

func unknownIsEmpty(t *testing.T, engine query.Store) {
	nobody := query.SuiteKey{Org: "nobody", Suite: "' OR 1 = 1 --"}
	table, err := engine.Slice(t.Context(), query.Slice{SuiteKey: nobody, Measures: []query.Measure{query.Executions}})
	require.NoError(t, err)
	require.Empty(t, table.Rows)
	runs, err := engine.Runs(t.Context(), query.RunQuery{SuiteKey: nobody})
	require.NoError(t, err)
	require.Zero(t, runs.Total)
	_, err = engine.Run(t.Context(), nobody, "run_1")
	require.ErrorIs(t, err, query.ErrNotFound)
	_, err = engine.Test(t.Context(), nobody, 1, query.Range{})
	require.ErrorIs(t, err, query.ErrNotFound)
	_, err = engine.Upload(t.Context(), nobody, "up_1")
	require.ErrorIs(t, err, query.ErrNotFound)
	health, err := engine.UploadHealth(t.Context(), query.UploadHealthQuery{SuiteKey: nobody})
	require.NoError(t, err)
	require.Equal(t, query.UploadHealth{}, health)
}
