package detect_test

import (
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/detect"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// scoreboard counts how verdicts compare with the truth.
type scoreboard struct {
	flaky, seen, detected, rightly, wrongly, lonely, lonelyFound int
	suspectedOf                                                  int
	runsToDetect, runsToSuspect                                  []int
	recoveries, broken, brokenSaid, hidden                       int
	why, missed                                                  map[string]int
	brier                                                        float64
	bins                                                         [10][2]float64
	said                                                         int
}

func (b *scoreboard) precision() float64 { return ratio(b.rightly, b.rightly+b.wrongly) }
func (b *scoreboard) recall() float64    { return ratio(b.detected, b.seen) }

func ratio(a, b int) float64 {
	if b == 0 {
		return 1
	}
	return float64(a) / float64(b)
}

func quantile(list []int, q float64) int {
	if len(list) == 0 {
		return 0
	}
	sort.Ints(list)
	return list[min(len(list)-1, int(q*float64(len(list))))]
}

func (b *scoreboard) String() string {
	return fmt.Sprintf("P %.3f (%d wrong) R %.3f of %d, runs to detect %d/%d, suspected %.3f after %d, false recoveries %.3f, broken said %.3f of %d, hidden %d, single pieces found %d/%d, Brier %.3f\n   wrong: %v\n   missed: %v",
		b.precision(), b.wrongly, b.recall(), b.seen, quantile(b.runsToDetect, .5), quantile(b.runsToDetect, .9),
		ratio(b.suspectedOf, b.seen), quantile(b.runsToSuspect, .5), float64(b.recoveries)/float64(max(b.flaky, 1)),
		ratio(b.brokenSaid, b.broken), b.broken, b.hidden, b.lonelyFound, b.lonely, b.brier/float64(max(b.said, 1)), b.why, b.missed)
}

// detectAll plays uploads into an engine, a record each, and returns its verdicts.
func detectAll(t testing.TB, uploads []worldUpload, settings detect.Settings) []*testengine.Verdict {
	t.Helper()
	table, err := state.NewMemory().Table(t.Context(), "flaky_detect", 0, settings.Logic())
	require.NoError(t, err)
	engine := detect.New(table, settings, plainSignature)
	var said []*testengine.Verdict
	take := func() {
		for _, event := range engine.Events() {
			if event.Verdict != nil {
				said = append(said, event.Verdict)
			}
		}
	}
	last := int64(0)
	for i := range uploads {
		u := &uploads[i]
		last = max(last, u.at)
		require.NoError(t, table.Begin(int64(i), last))
		engine.Advance(last)
		engine.Block(&testengine.Block{
			Position: testengine.Position{LogID: "w", Offset: int64(i)}, Upload: u.upload, Executions: u.list,
		})
		take()
		engine.Flush()
		require.NoError(t, table.End())
	}
	last += 30 * 60_000
	require.NoError(t, table.Begin(int64(len(uploads)), last))
	engine.Advance(last)
	take()
	engine.Flush()
	require.NoError(t, table.End())
	return said
}

func plainSignature(x *testengine.Execution) testengine.Signature {
	message := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, x.FailureReason)
	hash := testengine.Hash(7, message)
	return testengine.Signature{Message: hash, Full: hash}
}

func (w *world) score(b *scoreboard, said []*testengine.Verdict) {
	if b.why == nil {
		b.why, b.missed = map[string]int{}, map[string]int{}
	}
	found, suspected := map[*worldTest]int64{}, map[*worldTest]int64{}
	wrong := map[*worldTest]bool{}
	broken := map[*worldTest][]*testengine.Verdict{}
	for _, v := range said {
		t := w.testOf(v)
		if t == nil {
			continue
		}
		switch v.Type {
		case testengine.FlakySuspected, testengine.FlakyDetected:
			w.scoreClaim(b, t, v, found, suspected, wrong)
		case testengine.FlakyHealed:
			if t.kind != "" && int64(v.Time) < t.to && len(t.failures) > 0 && t.failures[len(t.failures)-1] > int64(v.Time) {
				b.recoveries++
				b.why["recovered "+t.kind]++
			}
		case testengine.TestBroken:
			broken[t] = append(broken[t], v)
		default: // Not scored.
		}
	}
	w.scoreTests(b, found, suspected)
	w.scoreBreaks(b, found, broken)
}

func (w *world) testOf(v *testengine.Verdict) *worldTest {
	for _, t := range w.tests {
		if t.scope == v.Scope && t.name == v.Name && t.file == v.File {
			return t
		}
	}
	return nil
}

func (w *world) scoreClaim(b *scoreboard, t *worldTest, v *testengine.Verdict, found, suspected map[*worldTest]int64, wrong map[*worldTest]bool) {
	at := int64(v.Time)
	if _, ok := suspected[t]; !ok {
		suspected[t] = at
	}
	truth := 0.0
	if t.kind != "" {
		truth = 1
	}
	b.said++
	b.brier += (v.Probability - truth) * (v.Probability - truth)
	bin := min(9, int(v.Probability*10))
	b.bins[bin][0]++
	b.bins[bin][1] += truth
	if v.Type != testengine.FlakyDetected {
		return
	}
	if t.kind == "" {
		if !wrong[t] {
			wrong[t] = true
			b.wrongly++
			b.why[w.spec.name+":"+v.Rule.ID]++
			b.why["flips"] += int(v.Evidence.Numbers["own_pieces"])
		}
		return
	}
	if _, ok := found[t]; !ok {
		found[t] = at
		b.rightly++
	}
}

func (w *world) scoreTests(b *scoreboard, found, suspected map[*worldTest]int64) {
	for _, t := range w.tests {
		if t.kind == "" {
			continue
		}
		b.flaky++
		at, ok := found[t]
		if t.evident == 1 {
			b.lonely++
			if ok {
				b.lonelyFound++
			}
		}
		if t.evident < 2 {
			continue
		}
		b.seen++
		if sat, sok := suspected[t]; sok {
			b.suspectedOf++
			b.runsToSuspect = append(b.runsToSuspect, before(t.failures, sat))
		}
		if !ok {
			b.missed[t.kind]++
			continue
		}
		b.detected++
		b.runsToDetect = append(b.runsToDetect, before(t.failures, at))
	}
}

func before(list []int64, at int64) int {
	n := 0
	for _, x := range list {
		if x <= at {
			n++
		}
	}
	return max(n, 1)
}

func (w *world) scoreBreaks(b *scoreboard, found map[*worldTest]int64, broken map[*worldTest][]*testengine.Verdict) {
	if w.spec.branch == "" {
		return
	}
	for _, r := range w.breaks {
		if r.to-r.from < 3 || r.to >= len(w.mainTimes)-2 {
			continue
		}
		for _, t := range r.tests {
			b.broken++
			said := false
			for _, v := range broken[t] {
				if int64(v.Time) >= w.mainTimes[r.from] && int64(v.Time) <= w.mainTimes[r.to]+40*60_000 {
					said = true
				}
			}
			if said {
				b.brokenSaid++
			} else if at, ok := found[t]; ok && at < w.mainTimes[r.from] {
				b.hidden++
			} else {
				b.why["break not said"]++
				b.why[fmt.Sprintf("%d-%d of %d, variant %d", r.from, r.to, len(r.tests), r.variant)]++
			}
		}
	}
}

func worldSpecs(seed uint64) []worldSpec {
	specs := []worldSpec{
		{name: "upload", tests: 240, flaky: 12, breaks: 14, storms: 12, minis: 14, slowHosts: 3, certs: 3, shards: 3, gap: 25, branchRuns: 1, branch: "main", retry: "upload"},
		{name: "later", tests: 300, flaky: 14, breaks: 16, storms: 16, minis: 20, slowHosts: 5, certs: 4, shards: 4, gap: 20, branchRuns: 1.5, branch: "master", retry: "later", variants: []string{"linux", "windows"}},
		{name: "another", tests: 150, flaky: 8, breaks: 12, storms: 10, minis: 12, slowHosts: 4, certs: 3, shards: 2, gap: 30, branchRuns: 1, branch: "main", retry: "another", shared: 4},
		{name: "none", tests: 200, flaky: 10, breaks: 14, storms: 8, minis: 10, slowHosts: 2, certs: 2, shards: 2, gap: 12, branchRuns: .6, branch: "main", retry: "none"},
		{name: "queue", tests: 200, flaky: 10, breaks: 10, storms: 10, minis: 12, slowHosts: 2, certs: 2, shards: 2, gap: 25, branchRuns: 1, branch: "main", queue: true, retry: "later"},
		{name: "dense", tests: 400, flaky: 20, breaks: 20, storms: 30, minis: 40, slowHosts: 8, certs: 6, shards: 4, gap: 15, branchRuns: 1, branch: "main", retry: "later"},
	}
	for i := range specs {
		specs[i].days, specs[i].seed = 28, seed*100+uint64(i)
	}
	return specs
}

func cleanSpec(seed uint64) worldSpec {
	return worldSpec{
		name: "clean", tests: 250, breaks: 15, storms: 15, minis: 15, slowHosts: 4, certs: 4, shards: 3, gap: 25,
		branchRuns: 1, branch: "main", retry: "later", days: 28, seed: seed,
	}
}

func TestScoreOnAdversarialWorlds(t *testing.T) {
	var pooled scoreboard
	for _, seed := range []uint64{1} {
		for _, spec := range append(worldSpecs(seed), cleanSpec(seed*77)) {
			w := newWorld(spec)
			uploads := w.play()
			said := detectAll(t, uploads, detect.DefaultSettings())
			var one scoreboard
			w.score(&one, said)
			w.score(&pooled, said)
			t.Logf("%-8s %d uploads: %s", spec.name, len(uploads), &one)
		}
	}
	t.Logf("pooled: %s", &pooled)
	// The floors are what is reached, a little below.
	require.GreaterOrEqual(t, pooled.precision(), .97)
	require.GreaterOrEqual(t, pooled.recall(), .95)
	require.GreaterOrEqual(t, ratio(pooled.suspectedOf, pooled.seen), .98)
	require.LessOrEqual(t, quantile(pooled.runsToSuspect, .5), 1)
	require.LessOrEqual(t, quantile(pooled.runsToDetect, .5), 4)
	require.LessOrEqual(t, float64(pooled.recoveries)/float64(pooled.flaky), .08)
	require.GreaterOrEqual(t, ratio(pooled.brokenSaid, pooled.broken), .97)
	require.Zero(t, pooled.hidden)
}
