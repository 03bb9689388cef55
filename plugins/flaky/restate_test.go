package flaky

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/stateful"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// restateLife is one process with its rules over a disk.
type restateLife struct {
	*detector
	t     *testing.T
	store *state.Store
	next  int64
}

func newLife(t *testing.T, d *crashdisk.Disk, yaml string, committed int64) *restateLife {
	t.Helper()
	store, err := state.Open(d, state.Options{Dir: "state"})
	require.NoError(t, err)
	next, err := store.Restore(t.Context(), testengine.LogIdentity{ID: "log", Partitions: 4}, 3, 0, committed)
	require.NoError(t, err)
	l := &restateLife{detector: newDetector(t, yaml), t: t, store: store, next: next}
	l.lanes = stateful.Over(store, service.MockResources().Logger(), l.memory)
	return l
}

// do gives a record to the processor and returns the verdicts.
func (l *restateLife) do(offset int64, silent bool, block *testengine.Block) (said []string) {
	l.t.Helper()
	m := message1(testengine.KindTick, offset, 1000+offset*1000, map[string]any{})
	if block != nil {
		m = message1(testengine.KindBlock, offset, 1000+offset*1000, block)
	}
	if silent {
		m.MetaSetMut(testengine.MetaSilent, true)
	}
	out, err := l.Process(l.t.Context(), m)
	require.NoError(l.t, err)
	require.NoError(l.t, message.NotRemembered(out))
	l.next = offset + 1
	for _, kind := range kindsOf(out) {
		if strings.HasPrefix(kind, "flaky.") || strings.HasPrefix(kind, "test.") {
			said = append(said, kind)
		}
	}
	return said
}

func (l *restateLife) end() {
	l.store.Acked(3, l.next)
	require.NoError(l.t, l.store.Close(l.t.Context()))
}

const (
	rulesBefore = `{}`
	// With these a test that passes on a retry is nothing.
	rulesAfter = `passed_on_retry: {enabled: false}`
)

// flip is a run in which the test failed and passed.
func flip(run string) *testengine.Block {
	return blockOf(run, testengine.ResultFailed, testengine.ResultPassed)
}

func TestWhatChangedRulesMadeOfSilentRecordsIsSaidAnew(t *testing.T) {
	for _, test := range []struct {
		name          string
		before, after string
		crash         bool // between the silent records and the first that is not
		quiet         bool // the silent record touches no test
		want          []string
	}{
		{name: "the same rules say nothing twice", before: rulesBefore, after: rulesBefore},
		{name: "new rules take back what the old ones have said", before: rulesBefore, after: rulesAfter, want: []string{"flaky.retracted"}},
		{name: "new rules say what the old ones have not said", before: rulesAfter, after: rulesBefore, want: []string{"flaky.suspected"}},
		{name: "a process that ends before it could speak leaves it to the next", before: rulesBefore, after: rulesAfter, crash: true, want: []string{"flaky.retracted"}},
		{name: "what no silent record has touched is not said anew", before: rulesBefore, after: rulesAfter, quiet: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := crashdisk.New(1)
			l := newLife(t, d, test.before, 0)
			l.do(0, false, blockOf("r0", testengine.ResultPassed))
			l.do(1, false, nil)
			l.end()

			// Records 2 and 3 were done and committed, but their state is lost.
			const committed = 4
			l = newLife(t, d, test.after, committed)
			require.EqualValues(t, 2, l.next)
			block := flip("r1")
			if test.quiet {
				block = nil
			}
			l.do(2, true, block)
			l.do(3, true, nil)
			if test.crash {
				l.end()
				l = newLife(t, d, test.after, committed)
				require.EqualValues(t, committed, l.next)
			}
			require.Equal(t, test.want, l.do(4, false, nil))
			require.Empty(t, l.do(5, false, nil), "it is said once")
			l.end()
		})
	}
}

func TestWhatIsSaidAnewIsSaidAgainWhenItsCycleIsAborted(t *testing.T) {
	d := crashdisk.New(1)
	l := newLife(t, d, rulesBefore, 0)
	l.do(0, false, blockOf("r0", testengine.ResultPassed))
	l.end()
	l = newLife(t, d, rulesAfter, 2)
	l.do(1, true, flip("r1"))
	l.store.Acked(3, 2)
	require.Equal(t, []string{"flaky.retracted"}, l.do(2, false, nil))
	next, err := l.store.Restore(t.Context(), testengine.LogIdentity{ID: "log", Partitions: 4}, 3, 0, 2)
	require.NoError(t, err)
	require.EqualValues(t, 2, next)
	require.Equal(t, []string{"flaky.retracted"}, l.do(2, false, nil))
	l.end()
}
