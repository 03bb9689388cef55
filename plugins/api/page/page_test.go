package page

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func TestEveryTemplateRendersWithNothingInIt(t *testing.T) {
	r, err := NewRenderer()
	require.NoError(t, err)
	for name, view := range map[string]any{
		Suites: SuitesView{}, Tests: TestsView{}, Test: TestView{}, Runs: RunsView{}, Run: RunView{}, Uploads: UploadsView{}, Upload: UploadView{}, UploadHealth: UploadHealthView{},
		Slices: SlicesView{}, Login: LoginView{}, Problem: ProblemView{},
	} {
		var out bytes.Buffer
		require.NoError(t, r.Render(&out, name, false, view), name)
		require.Contains(t, out.String(), "</html>", name)
		require.NoError(t, r.Render(&out, name, true, view), name)
	}
	require.ErrorContains(t, r.Render(&bytes.Buffer{}, "nope", false, nil), `none called "nope"`)
}

func TestSeconds(t *testing.T) {
	for _, test := range []struct {
		seconds float64
		want    string
	}{
		{0, "0\u00a0s"},
		{0.0004, "<\u20091\u00a0ms"},
		{0.0461, "46\u00a0ms"},
		{0.9996, "1.00\u00a0s"},
		{1.4, "1.40\u00a0s"},
		{47, "47.0\u00a0s"},
		{150, "2\u00a0min 30\u00a0s"},
		{9000, "2.5\u00a0h"},
	} {
		require.Equal(t, test.want, formatSeconds(test.seconds))
	}
}

func TestPercentNeverRoundsToCertainty(t *testing.T) {
	for _, test := range []struct {
		fraction float64
		want     string
	}{
		{0, "0\u00a0%"}, {1, "100\u00a0%"}, {0.9999, ">\u200999.9\u00a0%"}, {0.0001, "<\u20090.1\u00a0%"}, {0.75, "75\u00a0%"}, {0.973, "97.3\u00a0%"},
	} {
		require.Equal(t, test.want, formatPercent(test.fraction))
	}
}

func TestCountAndPlural(t *testing.T) {
	require.Equal(t, "1,234,567", formatCount(1234567))
	require.Equal(t, "-1,234", formatCount(int64(-1234)))
	require.Equal(t, "999", formatCount(999))
	require.Equal(t, "1\u00a0test", plural(1, "test"))
	require.Equal(t, "2\u00a0tests", plural(2, "test"))
}

func TestTimesAreWrittenInUTCForTheScriptToTurn(t *testing.T) {
	at := time.Date(2026, 11, 23, 14, 5, 0, 0, time.UTC).UnixMilli()
	require.Equal(t, `<time class="ago" datetime="2026-11-23T14:05:00Z">23 Nov 14:05 UTC</time>`, string(timeElement(at, "ago")))
	require.NotContains(t, string(timeElement(testengine.Time(0), "at")), "1970")
}

func TestExpandedReadsWhatCollectorsSend(t *testing.T) {
	for _, test := range []struct {
		name string
		raw  testengine.RawJSON
		want []Expanded
	}{
		{"both parts", `[{"expanded":["a"],"backtrace":["b"]}]`, []Expanded{{[]string{"a"}, []string{"b"}}}},
		{"jest leaves the backtrace out", `[{"expanded":["a"]}]`, []Expanded{{Expanded: []string{"a"}}}},
		{"playwright sends an empty one for passed tests", `[{"expanded":[]}]`, []Expanded{}},
		{"nothing", ``, nil},
		{"another shape is shown as it came", `{"x":1}`, []Expanded{{Expanded: []string{`{"x":1}`}}}},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, parseExpanded(test.raw)) })
	}
}

// history turns letters, newest last, into executions on one branch, newest first; a space begins the next run.
func history(branch, letters string) (list []query.Execution) {
	results := map[rune]testengine.Result{'P': testengine.ResultPassed, 'F': testengine.ResultFailed, 'S': testengine.ResultSkipped, 'R': testengine.ResultPassed}
	run := 'a'
	for i, letter := range letters {
		if letter == ' ' {
			run++
			continue
		}
		e := query.Execution{Branch: branch, RunID: branch + string(run), At: int64(i), Result: results[letter], Retried: letter == 'R'}
		list = append([]query.Execution{e}, list...)
	}
	return list
}

func TestHistoryByBranch(t *testing.T) {
	for _, test := range []struct{ name, letters, want string }{
		{"a run is what its executions were", "P F S", "passed failed skipped"},
		{"a run that failed and passed is mixed", "FP", "mixed"},
		{"in either order", "PF", "mixed"},
		{"twice the same is the same", "FF PP", "failed passed"},
		{"skipped says nothing beside another", "SP FS", "passed failed"},
		{"what the runner retried is mixed", "R", "mixed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			branches := HistoryByBranch(history("main", test.letters), "main")
			require.Len(t, branches, 1)
			var outcomes []string
			for _, r := range branches[0].Runs {
				outcomes = append(outcomes, r.Outcome)
			}
			require.Equal(t, strings.Fields(test.want), outcomes)
		})
	}
	newest := HistoryByBranch(append(history("fix", "P"), append(history("dev", "P"), history("main", "P")...)...), "main")
	require.Equal(t, []string{"main", "fix", "dev"}, []string{newest[0].Branch, newest[1].Branch, newest[2].Branch}, "the default branch first, then as they ran")
}

func TestSliceChart(t *testing.T) {
	bars := SliceChart(query.Slice{By: []string{"host.type", "host.arch"}, Measures: []query.Measure{query.P50Duration, query.Failed, query.P95Duration}},
		query.Table{Rows: [][]any{{"c7g", "", 0.5, int64(3), 1.5}, {"m6i", "amd64", nil, int64(0), 2.5}}})
	require.Equal(t, "bars", bars.Kind)
	require.Equal(t, []string{"c7g · (none)", "m6i · amd64"}, bars.Labels)
	require.Len(t, bars.Series, 2, "only measures of one unit share an axis")
	require.Nil(t, bars.Series[0].Values[1], "nothing to measure is a gap, not zero")

	lines := SliceChart(query.Slice{By: []string{"scm.branch", query.KeyDay}, Measures: []query.Measure{query.FailureRate}},
		query.Table{Rows: [][]any{{"main", "2026-11-01", 0.5}, {"dev", "2026-11-02", 0.25}, {"main", "2026-11-02", 0.125}}})
	require.Equal(t, "lines", lines.Kind)
	require.Equal(t, []string{"2026-11-01", "2026-11-02"}, lines.Labels)
	require.Equal(t, []string{"main", "dev"}, []string{lines.Series[0].Name, lines.Series[1].Name})
	require.Nil(t, lines.Series[1].Values[0])

	var rows [][]any
	for _, branch := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "i"} {
		rows = append(rows, []any{"2026-11-0" + string(rune('1'+len(rows))), branch, 0.5})
	}
	many := SliceChart(query.Slice{By: []string{query.KeyDay, "scm.branch"}, Measures: []query.Measure{query.FailureRate}}, query.Table{Rows: rows})
	require.Len(t, many.Series, maxSeries)
	require.Equal(t, "i", many.Series[0].Name, "the longest lines stay")
	require.Contains(t, many.Note, "of 9")
	require.Empty(t, SliceChart(query.Slice{Measures: []query.Measure{query.Failed}}, query.Table{Rows: [][]any{{int64(1)}}}).Kind, "one number needs no chart")
}

func TestWhy(t *testing.T) {
	for _, test := range []struct {
		name     string
		rule     string
		evidence testengine.Evidence
		want     string
	}{
		{"a rule and how widely it was seen", "passed_on_retry", testengine.Evidence{Branches: []string{"a", "b"}, Numbers: map[string]float64{"failing_runs": 3}}, "It failed and passed on one commit: failures in 3\u00a0runs, 2\u00a0branches."},
		{"a rule with its own note", "broken_test", testengine.Evidence{Note: "3 failing commits in a row"}, "It fails on one commit after the other: 3 failing commits in a row."},
		{"an unknown rule's note", "new_rule", testengine.Evidence{Note: "because"}, "because"},
		{"nothing to say", "new_rule", testengine.Evidence{}, "Evidence"},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, why(&testengine.Verdict{Rule: testengine.Rule{ID: test.rule}, Evidence: test.evidence}))
		})
	}
}

func TestPager(t *testing.T) {
	p := Pager{Frame: Frame{Path: "/x"}, Paging: query.Paging{Number: 2, Size: 30}, Total: 65}
	require.Equal(t, 31, p.First())
	require.Equal(t, 60, p.Last())
	require.Equal(t, "/x?page=1", p.Previous())
	require.Equal(t, "/x?page=3", p.Next())
	p.Paging.Number = 3
	require.Empty(t, p.Next())
	require.False(t, Pager{Paging: query.Paging{Number: 1, Size: 30}, Total: 30}.Needed())
}

func TestPathsAreEscaped(t *testing.T) {
	require.Equal(t, "/a%2Fb/suites/c%20d/tests/e%3F", SuitePath(query.SuiteKey{Org: "a/b", Suite: "c d"}, "tests", "e?"))
}
