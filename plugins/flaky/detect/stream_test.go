package detect_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/detect"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func smallWorld(name string, seed uint64) []worldUpload {
	return newWorld(worldSpec{
		name: name, seed: seed, days: 3, tests: 80, flaky: 8, breaks: 4, storms: 3, minis: 4, slowHosts: 1, certs: 1,
		shards: 2, gap: 20, branchRuns: 1, branch: "main", retry: "later", variants: []string{"linux", "mac"}, shared: 2,
	}).play()
}

// playing feeds uploads to engines and writes everything they say as JSON.
type playing struct {
	t      *testing.T
	table  *state.Table
	engine *detect.Engine
	offset int64
	now    int64
	said   []string
	// answers is what lookups say of so many executions; nil for nothing.
	answers func(executions int) *testengine.Annotations
}

func newPlaying(t *testing.T) *playing {
	t.Helper()
	settings := detect.DefaultSettings()
	table, err := state.NewMemory().Table(t.Context(), "flaky_detect", 0, settings.Logic())
	require.NoError(t, err)
	p := &playing{t: t, table: table}
	p.reopen()
	return p
}

// reopen throws away everything but the state, as a restart does.
func (p *playing) reopen() { p.engine = detect.New(p.table, detect.DefaultSettings(), plainSignature) }

func (p *playing) upload(u *worldUpload, cut int) {
	p.now = max(p.now, u.at)
	require.NoError(p.t, p.table.Begin(p.offset, p.now))
	p.engine.Advance(p.now)
	for first := 0; first < len(u.list); first += cut {
		block := &testengine.Block{
			Position: testengine.Position{LogID: "w", Offset: p.offset}, First: first,
			Upload: u.upload, Executions: u.list[first:min(len(u.list), first+cut)],
		}
		if p.answers != nil {
			block.Annotations = p.answers(len(block.Executions))
		}
		p.engine.Block(block)
		p.take()
	}
	p.take()
	p.engine.Flush()
	require.NoError(p.t, p.table.End())
	p.offset++
}

// change edits the thresholds of the suite of an upload, as a record of the log.
func (p *playing) change(u *worldUpload, section string) {
	require.NoError(p.t, p.table.Begin(p.offset, p.now))
	require.NoError(p.t, p.engine.Change(&testengine.Change{
		Org: u.upload.Org, Suite: u.upload.Suite, Type: testengine.ChangeDetection, Body: testengine.RawJSON(section),
	}))
	p.take()
	p.engine.Flush()
	require.NoError(p.t, p.table.End())
	p.offset++
}

func (p *playing) take() {
	for _, event := range p.engine.Events() {
		var value any = event.Verdict
		if event.Verdict == nil {
			value = event.Run
		}
		raw, err := json.Marshal(value)
		require.NoError(p.t, err)
		p.said = append(p.said, string(raw))
	}
}

func (p *playing) finish() []string {
	p.now += 24 * 3_600_000
	require.NoError(p.t, p.table.Begin(p.offset, p.now))
	p.engine.Advance(p.now)
	p.take()
	p.engine.Flush()
	require.NoError(p.t, p.table.End())
	return p.said
}

func TestARestartAfterAnyRecordChangesNothing(t *testing.T) {
	uploads := smallWorld("restart", 3)
	whole, broken := newPlaying(t), newPlaying(t)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range uploads {
		whole.upload(&uploads[i], 2000)
		if random.IntN(3) == 0 {
			broken.reopen()
		}
		broken.upload(&uploads[i], 2000)
	}
	require.NotEmpty(t, whole.finish())
	require.Equal(t, whole.said, broken.finish())
}

func TestTheSizeOfBlocksChangesNothing(t *testing.T) {
	uploads := smallWorld("blocks", 4)
	large, small := newPlaying(t), newPlaying(t)
	for i := range uploads {
		large.upload(&uploads[i], 2000)
		small.upload(&uploads[i], 7)
	}
	// Executions are named by their place in the record, which this test does not set.
	require.Equal(t, large.finish(), small.finish())
}

func TestAThresholdEditedOnTheWayHoldsFromThereOverRestartsAndReplays(t *testing.T) {
	uploads := smallWorld("edited", 9)
	const section = `{"passed_on_retry":{"disabled":true},"transition_count":{"disabled":true},"three_state_filter":{"disabled":true}}`
	play := func(edit int, restarts bool) []string {
		p := newPlaying(t)
		for i := range uploads {
			if i == edit {
				p.change(&uploads[i], section)
			}
			if restarts && i%5 == 0 {
				p.reopen()
			}
			p.upload(&uploads[i], 2000)
		}
		return p.finish()
	}
	half := len(uploads) / 2
	first := play(half, false)
	require.Equal(t, first, play(half, true), "what was edited is in the state")
	require.Equal(t, first, play(half, false), "a replay without any state edits at the same place")
	require.NotEqual(t, first, play(-1, false), "it changes what is said")
	require.NotEqual(t, first, play(0, false), "what was before it was judged without it")
}

// Annotations come from files and services that say something else tomorrow, and
// a replay asks them again.
func TestALookupThatAnswersDifferentlyChangesNothing(t *testing.T) {
	uploads := smallWorld("lookups", 8)
	random := rand.New(rand.NewPCG(3, 4))
	without, with := newPlaying(t), newPlaying(t)
	with.answers = func(executions int) *testengine.Annotations {
		a := &testengine.Annotations{
			Tags:       []testengine.Tag{{Key: "scm.branch", Value: fmt.Sprint("branch-", random.IntN(3))}, {Key: "variant", Value: fmt.Sprint("variant-", random.IntN(3))}},
			OwnerNames: []string{"somebody", "somebody else"}, Owners: make([]int32, executions),
			Signatures: map[int]testengine.Signature{}, Executions: map[int][]testengine.Tag{},
		}
		for i := range executions {
			a.Owners[i] = int32(random.IntN(2))
			a.Signatures[i] = testengine.Signature{Message: random.Uint64N(2), Full: random.Uint64N(2)}
			a.Executions[i] = []testengine.Tag{{Key: "host.name", Value: fmt.Sprint("host-", random.IntN(3))}}
		}
		return a
	}
	for i := range uploads {
		without.upload(&uploads[i], 2000)
		with.upload(&uploads[i], 2000)
	}
	require.NotEmpty(t, without.finish())
	require.Equal(t, without.said, with.finish())
}

func TestOtherSuitesOfALaneChangeNothing(t *testing.T) {
	one, two := smallWorld("one", 5), smallWorld("two", 6)
	both := append(append([]worldUpload(nil), one...), two...)
	sort.SliceStable(both, func(i, j int) bool { return both[i].at < both[j].at })
	alone := []string{}
	for _, uploads := range [][]worldUpload{one, two} {
		p := newPlaying(t)
		for i := range uploads {
			p.upload(&uploads[i], 2000)
		}
		alone = append(alone, p.finish()...)
	}
	p := newPlaying(t)
	for i := range both {
		p.upload(&both[i], 2000)
	}
	together := p.finish()
	// The names of executions hold the offset, which differs.
	require.Equal(t, sortedWithout(alone), sortedWithout(together))
}

// sortedWithout drops the names of executions and the log's order over suites.
func sortedWithout(said []string) []string {
	list := make([]string, len(said))
	for i, line := range said {
		if at := strings.Index(line, `"executions":[`); at >= 0 {
			line = line[:at] + line[at+strings.Index(line[at:], "]"):]
		}
		list[i] = line
	}
	sort.Strings(list)
	return list
}

func TestVerdictIdsAreUnique(t *testing.T) {
	uploads := smallWorld("unique", 7)
	p := newPlaying(t)
	for i := range uploads {
		p.upload(&uploads[i], 2000)
	}
	seen := map[string]string{}
	for _, line := range p.finish() {
		var v struct{ ID, Type string }
		require.NoError(t, json.Unmarshal([]byte(line), &v))
		if v.Type == "" {
			continue
		}
		require.Empty(t, seen[v.ID], line)
		seen[v.ID] = line
	}
	require.NotEmpty(t, seen)
}

func runEvents(s *script) string {
	var list []string
	for _, r := range s.events {
		list = append(list, fmt.Sprintf("%s %d at %d", r.Event, r.Generation, (r.Time-worldStart)/1000))
	}
	return strings.Join(list, ", ")
}

func TestRunsCloseAndReopen(t *testing.T) {
	settings := detect.DefaultSettings()
	test := map[string]string{"adds": "P"}
	t.Run("a run closes two minutes after its last upload", func(t *testing.T) {
		s := newScript(t, settings)
		s.record(worldStart, s.block("r", "main", "c", test, "adds"))
		s.record(worldStart+60_000, s.block("r", "main", "c", test, "adds"))
		s.record(worldStart + 180_000)
		require.Equal(t, "opened 1 at 0, closed 1 at 180", runEvents(s))
	})
	t.Run("another suite's record closes it too, at its own time", func(t *testing.T) {
		s := newScript(t, settings)
		s.record(worldStart, s.block("r", "main", "c", test, "adds"))
		other := s.block("x", "main", "c", test, "adds")
		other.Upload.Suite = "api"
		s.record(worldStart+500_000, other)
		require.Equal(t, "opened 1 at 0, closed 1 at 120, opened 1 at 500", runEvents(s))
	})
	t.Run("a run that never rests closes after half an hour", func(t *testing.T) {
		s := newScript(t, settings)
		for i := range int64(40) {
			s.record(worldStart+i*60_000, s.block("r", "main", "c", test, "adds"))
		}
		require.Equal(t, "opened 1 at 0, closed 1 at 1800, reopened 2 at 1800", runEvents(s))
	})
	t.Run("a late upload reopens it within a day", func(t *testing.T) {
		s := newScript(t, settings)
		s.record(worldStart, s.block("r", "main", "c", test, "adds"))
		s.record(worldStart+3_600_000, s.block("r", "main", "c", test, "adds"))
		s.record(worldStart + 4_000_000)
		require.Equal(t, "opened 1 at 0, closed 1 at 120, reopened 2 at 3600, closed 2 at 3720", runEvents(s))
		require.Equal(t, 2, s.events[3].Executions)
		require.Equal(t, 2, s.events[3].Uploads)
	})
	t.Run("after a day it is a new run", func(t *testing.T) {
		s := newScript(t, settings)
		s.record(worldStart, s.block("r", "main", "c", test, "adds"))
		s.record(worldStart+90_000_000, s.block("r", "main", "c", test, "adds"))
		require.Equal(t, "opened 1 at 0, closed 1 at 120, opened 1 at 90000", runEvents(s))
	})
	t.Run("an upload without executions opens nothing", func(t *testing.T) {
		s := newScript(t, settings)
		s.record(worldStart, s.block("r", "main", "c", test))
		require.Empty(t, s.events)
	})
}

// storm is an upload in which many tests fail.
func (s *script) storm(run, branch, commit, word string) *testengine.Block {
	tests, order := map[string]string{}, []string{}
	for i := range 40 {
		name := fmt.Sprint("t", i)
		tests[name] = word
		order = append(order, name)
	}
	return s.block(run, branch, commit, tests, order...)
}

func TestAStormIsNobodysFault(t *testing.T) {
	s := newScript(t, detect.DefaultSettings())
	s.play("main", passes(20))
	s.record(s.now+60_000, s.storm("storm", "main", "cs", "FP"))
	s.tick(200)
	var types []string
	for _, v := range s.said {
		if v.Type == testengine.FlakyDetected {
			t.Fatalf("detected %s in a storm", v.Name)
		}
		if v.TestID == "" {
			types = append(types, string(v.Type))
		}
	}
	require.Equal(t, []string{"infra.incident.opened", "infra.incident.closed"}, types)
}

func TestAStormThatShowsLateTakesItBack(t *testing.T) {
	s := newScript(t, detect.DefaultSettings())
	s.play("main", passes(30))
	s.record(s.now+60_000, s.block("r", "main", "cr", map[string]string{"adds": "FP"}, "adds"))
	s.tick(10)
	require.Equal(t, "suspected", s.types("adds"))
	s.record(s.now+60_000, s.storm("r", "main", "cr", "FP"))
	s.tick(10)
	require.Equal(t, "suspected retracted", s.types("adds"))
}

func TestALateRunOfAnOldCommitMovesNothing(t *testing.T) {
	s := newScript(t, detect.DefaultSettings())
	s.play("main", passes(30)+"F F F P P P")
	require.Equal(t, "broken fixed", s.types("adds"))
	// The jobs of the broken commits are run again.
	for i := range 3 {
		commit := fmt.Sprint("crun-", 31+i)
		s.record(s.now+s.gap*60_000, s.block(fmt.Sprint("again-", i), "main", commit, map[string]string{"adds": "F", "sums": "P"}, "adds", "sums"))
	}
	s.play("main", "P P P")
	require.Equal(t, "broken fixed", s.types("adds"))
}

func TestVariantsAndFilesAreApart(t *testing.T) {
	t.Run("a failure on one variant and a pass on another say nothing", func(t *testing.T) {
		s := newScript(t, detect.DefaultSettings())
		for i := range 5 {
			run := fmt.Sprint("r", i)
			failed := s.block(run, "feature/1", "c"+run, map[string]string{"adds": "F"}, "adds")
			failed.Upload.Tags = []testengine.Tag{{Key: "host.os", Value: "windows"}}
			passed := s.block(run, "feature/1", "c"+run, map[string]string{"adds": "P"}, "adds")
			passed.Upload.Tags = []testengine.Tag{{Key: "host.os", Value: "linux"}}
			s.record(s.now+1_200_000, failed)
			s.record(s.now+10_000, passed)
		}
		s.tick(10)
		require.Empty(t, s.types("adds"))
	})
	t.Run("an execution's own tag names its variant", func(t *testing.T) {
		s := newScript(t, detect.DefaultSettings())
		b := s.block("r", "main", "c", map[string]string{"adds": "FPFP"}, "adds")
		for i := range b.Executions {
			b.Executions[i].Tags = []testengine.Tag{{Key: "browser", Value: []string{"firefox", "chrome"}[i%2]}}
		}
		s.record(s.now, b)
		s.tick(10)
		require.Empty(t, s.types("adds"))
	})
	t.Run("two files that share suite, scope and name are two tests", func(t *testing.T) {
		s := newScript(t, detect.DefaultSettings())
		for i := range 6 {
			run := fmt.Sprint("r", i)
			word := "PP"
			if i > 1 {
				word = "PF"
			}
			b := s.block(run, "main", "c"+run, map[string]string{"adds": word}, "adds")
			b.Executions[1].File = "spec/other_spec.rb"
			s.record(s.now+1_200_000, b)
		}
		s.tick(10)
		require.Equal(t, "broken", s.types("adds"))
		require.Equal(t, "spec/other_spec.rb", s.said[0].File)
	})
}

func TestTheQueueIsFollowedOnlyWithoutADefaultBranch(t *testing.T) {
	history := passes(60) + "F P P F P P P F P P F P"
	s := newScript(t, detect.DefaultSettings())
	s.play("gh-readonly-queue/main/pr-1", history)
	require.Equal(t, "suspected detected", s.types("adds"))

	s = newScript(t, detect.DefaultSettings())
	s.play("main", "P")
	s.play("gh-readonly-queue/main/pr-1", history)
	require.Empty(t, s.types("adds"))
}
