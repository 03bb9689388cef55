package detect

import (
	"math"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// mostEpisodes is how far the episodes of a test are counted: a byte of its record.
const mostEpisodes = math.MaxUint8

// verdictID is hash(org, suite, test, variant, rule, version, type, episode):
// seed stands for org and suite.
func verdictID(seed, test uint64, variant string, extra uint64, v *testengine.Verdict) string {
	h := testengine.Hash(testengine.HashUint(seed, test), variant)
	h = testengine.HashUint(testengine.Hash(h, v.Rule.ID), uint64(v.Rule.Version))
	h = testengine.HashUint(testengine.Hash(h, string(v.Type)), uint64(v.Episode))
	if extra != 0 {
		h = testengine.HashUint(h, extra)
	}
	return testengine.FormatID(h) + testengine.FormatID(testengine.HashUint(h, test))
}

// say emits a verdict about a test with the evidence at hand.
func (e *Engine) say(c *inquiry, kind testengine.VerdictType, rule, note string) {
	p := c.record.probability()
	switch kind {
	case testengine.TestBroken:
		p = max(c.record.belief.ProbabilityBroken(), .9)
	case testengine.TestFixed:
		p = 1 - c.record.belief.ProbabilityBroken()
	case testengine.FlakyHealed, testengine.FlakyStale:
		p = 1 - .01
	default: // What the others say is that the test is flaky.
	}
	e.sayWith(c, kind, rule, note, p)
}

func (e *Engine) sayWith(c *inquiry, kind testengine.VerdictType, rule, note string, p float64) {
	n, rec := e.namesIn(c), c.record
	v := &testengine.Verdict{
		Time: testengine.Time(c.at), Type: kind, Org: c.suite.org, Suite: c.suite.name,
		TestID: testengine.FormatID(n.test), Scope: n.scope, Name: n.name, Location: n.location, File: n.file,
		Variant: n.variant, Rule: testengine.Rule{ID: rule, Version: versionOf(rule)},
		Probability: round(min(max(p, .001), .999)), FirstFailure: testengine.Time(n.firstFailure),
		LastFailure: testengine.Time(int64(rec.lastFailure) * 1000), Episode: int(rec.flakyEpisode),
		Signatures: append([]string{}, n.proven...),
	}
	if kind == testengine.TestBroken || kind == testengine.TestFixed {
		v.Episode = int(rec.brokenEpisode)
		v.Signatures = append([]string{}, n.failing...)
	}
	v.Evidence = testengine.Evidence{
		FailureReasons: append([]string{}, n.reasons...), Commits: append([]string{}, n.commits...),
		Executions: append([]string{}, n.executions...), Runs: append([]string(nil), n.runs...),
		Branches: append([]string(nil), n.branches...), Note: note, Numbers: numbersOf(c),
	}
	if m := monitorOf(rule); m != nil && m.settings(c.suite.settings).DryRun {
		v.Evidence.Numbers["dry_run"] = 1
		v.Evidence.Note = "dry run: " + note
	}
	extra := uint64(0)
	if rec.shared {
		extra = uint64(rec.file)
	}
	if kind == testengine.FlakyUpdated {
		extra = testengine.Hash(extra+1, n.proven[len(n.proven)-1])
	}
	if v.Episode == mostEpisodes {
		extra = testengine.HashUint(extra+1, uint64(c.at)) // Further ones have that number too: log time tells them apart,
		if c.run != nil {
			extra = testengine.HashUint(extra, c.run.key) // and the run, where several close at once.
		}
	}
	v.ID = verdictID(c.suite.seed, n.test, n.variant, extra, v)
	e.emit(Event{Verdict: v})
}

func numbersOf(c *inquiry) map[string]float64 {
	rec := c.record
	numbers := map[string]float64{
		"posterior_flaky":  round(rec.probability()),
		"posterior_broken": round(rec.belief.ProbabilityBroken()),
		"failing_runs":     float64(rec.failures),
		"runs":             float64(rec.runs),
		"transition_score": round(transitionScore(rec, &c.suite.settings.Transition)),
		"own_pieces":       float64(rec.pieces),
		"log_odds":         round(float64(rec.odds + worth(rec.fresh()))),
	}
	if c.out != nil {
		numbers["others_failing"] = round(c.flips + c.fails)
	}
	if rec.streak > 0 {
		numbers["failing_commits"] = float64(rec.streak)
	}
	return numbers
}

func monitorOf(rule string) *monitor {
	for i := range monitors {
		if monitors[i].id == rule {
			return &monitors[i]
		}
	}
	return nil
}

func versionOf(rule string) int {
	if m := monitorOf(rule); m != nil {
		return m.version
	}
	return 1
}

func round(x float64) float64 { return math.Round(x*1e4) / 1e4 }
