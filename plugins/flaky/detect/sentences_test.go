package detect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/detect"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// script plays runs of one test into an engine. A word is a run on a commit of
// its own: P passed, F failed, FP failed and passed on retry, S skipped, ? no
// result. Runs follow each other by gap minutes.
type script struct {
	t        *testing.T
	engine   *detect.Engine
	table    *state.Table
	settings detect.Settings
	offset   int64
	now      int64
	gap      int64
	runs     int
	said     []*testengine.Verdict
	events   []*testengine.Run
}

func newScript(t *testing.T, settings detect.Settings) *script {
	t.Helper()
	table, err := state.NewMemory().Table(t.Context(), "flaky_detect", 0, settings.Logic())
	require.NoError(t, err)
	return &script{
		t: t, table: table, settings: settings, engine: detect.New(table, settings, plainSignature),
		now: worldStart, gap: 20, offset: -1,
	}
}

// record plays one record: uploads at a time, then the end of the record.
func (s *script) record(at int64, blocks ...*testengine.Block) {
	s.t.Helper()
	s.offset++
	s.now = max(s.now, at)
	require.NoError(s.t, s.table.Begin(s.offset, s.now))
	s.engine.Advance(s.now)
	for i, b := range blocks {
		b.Position = testengine.Position{LogID: "log", Offset: s.offset}
		if b.Upload.ID == "" {
			b.Upload.ID = fmt.Sprint(s.offset, "/", i)
		}
		s.engine.Block(b)
	}
	for _, event := range s.engine.Events() {
		if event.Verdict != nil {
			s.said = append(s.said, event.Verdict)
		} else {
			s.events = append(s.events, event.Run)
		}
	}
	s.engine.Flush()
	require.NoError(s.t, s.table.End())
}

func (s *script) tick(minutes int64) { s.record(s.now + minutes*60_000) }

func (s *script) block(run, branch, commit string, tests map[string]string, order ...string) *testengine.Block {
	u := &testengine.Upload{Org: "local", Suite: "web", RunKey: run, Branch: branch, CommitSHA: commit}
	b := &testengine.Block{Upload: u}
	seed := testengine.SuiteSeed("local", "web")
	for _, name := range order {
		for _, word := range tests[name] {
			x := testengine.Execution{
				Index: len(b.Executions), TestID: testengine.TestID(seed, "Cart", name), Scope: "Cart", Name: name,
				File: "spec/cart_spec.rb",
			}
			switch word {
			case 'P':
				x.Result = testengine.ResultPassed
			case 'F':
				x.Result, x.FailureReason = testengine.ResultFailed, "expected "+name
			case 'V': // as Vitest sends a test that passed at the second attempt
				x.Result, x.FailureReason = testengine.ResultPassed, "expected "+name
			case 'S':
				x.Result = testengine.ResultSkipped
			}
			b.Executions = append(b.Executions, x)
		}
	}
	return b
}

// play plays words as runs of the default branch, other tests passing beside.
func (s *script) play(branch, history string) {
	for word := range strings.FieldsSeq(history) {
		s.runs++
		run := fmt.Sprint("run-", s.runs)
		s.record(s.now+s.gap*60_000, s.block(run, branch, "c"+run, map[string]string{"adds": word, "sums": "P"}, "adds", "sums"))
	}
	s.tick(10)
}

// types lists what was said about a test, without repeats of one type in a row.
func (s *script) types(name string) string {
	var list []string
	for _, v := range s.said {
		word := strings.TrimPrefix(strings.TrimPrefix(string(v.Type), "flaky."), "test.")
		if v.Name == name {
			list = append(list, word)
		}
	}
	return strings.Join(list, " ")
}

func passes(n int) string { return strings.Repeat("P ", n) }

func TestSentences(t *testing.T) {
	tests := []struct {
		name, branch, history, said string
	}{
		{"a test that passes is not spoken of", "main", passes(30), ""},
		{"one failure is not spoken of", "main", passes(30) + "F", ""},
		{"a retry that passes is suspected at once and again is detected", "main", passes(30) + "FP P FP P", "suspected detected"},
		{"on a branch the same", "feature/1", "FP P FP P", "suspected detected"},
		{"what the runner retried itself counts", "main", passes(30) + "V P V P", "suspected detected"},
		{"results that are missing are no evidence", "feature/1", passes(30) + "? F? ?P ?", ""},
		{"skipped after passed counts as nothing", "main", passes(30) + "PS PS PS", ""},
		{"three failing commits in a row break a test", "main", passes(30) + "F F F", "broken"},
		{"and the next pass fixes it", "main", passes(30) + "F F F P", "broken fixed"},
		{"a break on a branch is the branch's own affair", "feature/1", "F F F F F P P", ""},
		{"a break that was retried needs only two commits", "main", passes(30) + "FFF FFF P", "broken fixed"},
		{"failures on their own, one after another, are flaky without any retry", "main", passes(60) + "F P P F P P P F P P F P", "suspected detected"},
		{"a flaky test breaks too", "main", passes(30) + "FP P FP P FF FF FF P", "suspected detected broken fixed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScript(t, detect.DefaultSettings())
			s.play(test.branch, test.history)
			require.Equal(t, test.said, s.types("adds"))
			require.Empty(t, s.types("sums"))
		})
	}
}

func TestTransitionsAreCountedAsTheFieldSays(t *testing.T) {
	tests := []struct {
		name, history, transitions string
		alarm                      float64
		alarms                     bool
	}{
		{"both directions of PFPFF are three of five", "P F P F F", "both", .6, true},
		{"and no more than three", "P F P F F", "both", .7, false},
		{"from passed to failed they are two", "P F P F F", "passed_to_failed", .4, true},
		{"and no more than two", "P F P F F", "passed_to_failed", .5, false},
		{"from failed to passed it is one", "P F P F F", "failed_to_passed", .2, true},
		{"the oldest pass is outside the window", "P F F F F F", "both", .2, true},
		{"the window divides, not the results seen", "P F", "both", .3, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			settings := detect.DefaultSettings()
			settings.Retry.Disabled, settings.Filter.Disabled, settings.Broken.Disabled = true, true, true
			settings.Transition.Window, settings.Transition.Alarm = 5, test.alarm
			settings.Transition.Recover = 0
			settings.Transition.Transitions, settings.Transition.Detects = test.transitions, true
			s := newScript(t, settings)
			// A first failure and a pass make the test known; the window then holds the history alone.
			s.play("main", "F P P P P P P P "+test.history)
			require.Equal(t, test.alarms, strings.Contains(s.types("adds"), "detected"), s.types("adds"))
		})
	}
}

func TestNobodyIsCalledFlakyWhileTheLineFails(t *testing.T) {
	s := newScript(t, detect.DefaultSettings())
	s.play("main", passes(30)+"FP P F")
	s.tick(240)
	s.play("feature/1", "FP")
	s.tick(240)
	s.play("feature/2", "FP")
	s.tick(240)
	require.Equal(t, "suspected", s.types("adds"), "it may be broken")
	s.play("main", "P")
	require.Equal(t, "suspected detected", s.types("adds"))
}

func TestWhereNobodyRetriesWhoComesBackAgainAndAgainIsFlaky(t *testing.T) {
	s := newScript(t, detect.DefaultSettings())
	s.play("main", passes(10)+"F P F F P P F P F F F P F P P F P F P")
	require.Contains(t, s.types("adds"), "detected", "seven failures ended in nineteen commits, two of them lasted")
}

func TestWhatLandsAndIsRevertedThriceIsNotFlaky(t *testing.T) {
	s := newScript(t, detect.DefaultSettings())
	s.play("main", passes(30)+"F F F P P P P F F P P P F F F F P P")
	require.NotContains(t, s.types("adds"), "detected")
}

func TestFlakyTestsHealOnlyAfterLongSilence(t *testing.T) {
	s := newScript(t, detect.DefaultSettings())
	s.play("main", passes(30)+"FP P FP")
	s.gap = 60
	s.play("main", passes(7*24))
	require.Equal(t, "suspected detected", s.types("adds"), "a week is not over")
	s.play("main", passes(14*24))
	require.Equal(t, "suspected detected healed", s.types("adds"))
}

func TestFlakyTestsThatStopRunningGrowStale(t *testing.T) {
	s := newScript(t, detect.DefaultSettings())
	s.play("main", passes(30)+"FP P FP")
	s.tick(31 * 24 * 60)
	require.Equal(t, "suspected detected stale", s.types("adds"))
}

func TestVerdictsOfVeryManyEpisodesHaveIdsOfTheirOwn(t *testing.T) {
	s := newScript(t, detect.DefaultSettings())
	const episodes = 260
	for range episodes {
		s.play("main", "P FP P FP P")
		s.tick(31 * 24 * 60)
	}
	ids := map[string]bool{}
	for _, v := range s.said {
		require.False(t, ids[v.ID], "%s of episode %d at %s", v.Type, v.Episode, v.Time)
		ids[v.ID] = true
	}
	require.GreaterOrEqual(t, len(ids), 3*episodes, "suspected, detected, stale")
}

func TestVerdictsOfRunsThatCloseAtOnceHaveIdsOfTheirOwn(t *testing.T) {
	settings := detect.DefaultSettings()
	settings.Filter.Alarm, settings.Filter.Recover = 1, 1-1e-9 // Nothing is detected, and the next pass ends a suspicion.
	s := newScript(t, settings)
	for range 300 {
		var blocks []*testengine.Block
		for i := range 16 {
			s.runs++
			run := fmt.Sprint("run-", s.runs)
			blocks = append(blocks, s.block(run, "main", "c"+run, map[string]string{"adds": []string{"FP", "P"}[i%2]}, "adds"))
		}
		s.record(s.now+60_000, blocks...)
		s.tick(24 * 60)
	}
	ids := map[string]bool{}
	for _, v := range s.said {
		require.False(t, ids[v.ID], "%s of episode %d at %s", v.Type, v.Episode, v.Time)
		ids[v.ID] = true
	}
	require.Greater(t, len(ids), 256, "there were more episodes than are counted")
}

func TestASuiteMayHaveSettingsOfItsOwn(t *testing.T) {
	s := newScript(t, detect.DefaultSettings())
	require.NoError(t, s.table.Begin(0, worldStart))
	s.offset = 0
	require.NoError(t, s.engine.Change(&testengine.Change{Org: "local", Suite: "web", Type: "detection", Body: `{"passed_on_retry":{"disabled":true}}`}))
	require.Error(t, s.engine.Change(&testengine.Change{Org: "local", Suite: "web", Type: "detection", Body: `{"transition_count":{"window":1}}`}))
	s.play("feature/1", "FP P FP P")
	require.Empty(t, s.types("adds"))
}

func TestADryRunIsMarked(t *testing.T) {
	settings := detect.DefaultSettings()
	settings.Retry.DryRun = true
	s := newScript(t, settings)
	s.play("main", "FP")
	require.NotEmpty(t, s.said)
	require.InDelta(t, 1, s.said[0].Evidence.Numbers["dry_run"], 0)
	require.Contains(t, s.said[0].Evidence.Note, "dry run")
}
