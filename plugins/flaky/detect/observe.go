package detect

import (
	"fmt"
	"math/bits"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/filter"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// observeFilter moves the belief by one run on the line.
func observeFilter(e *Engine, c *inquiry) {
	o, rec := c.out, c.record
	others := c.flips + c.fails
	crowd, chance := 1.0, 4e-4
	if rec.streak == 0 && (rec.broke || rec.lasted > 0) && rec.failedWithin(30) {
		crowd = 60 // who broke lately breaks again: reverted, relanded
	}
	if others > .3 {
		crowd, chance = max(crowd, 10*min(others, 20)), 4e-3*min(others, 5)
	}
	failedOnly := o.failed > 0 && o.passed == 0 && o.flags&flagMixed == 0
	if !c.same {
		if !failedOnly || o.flags&flagGuarded != 0 {
			crowd = 1
		}
		rec.belief.Predict(crowd)
	}
	switch {
	case o.flags&flagMixed != 0:
		rec.broke = false
	case o.failed == 0:
		before := rec.belief.ProbabilityFlaky()
		rec.belief.Passed()
		e.lineEnds(c)
		// A failure on its own is known to be one only when the next commit passes.
		// Once the filter is sure its belief no longer rises.
		if after := rec.belief.ProbabilityFlaky(); rec.streak > 0 && (after > before || after > .5) {
			c.deciding = ruleFilter
		}
	case o.flags&flagGuarded == 0:
		rec.belief.Failed(int(o.failed), chance)
		rec.broke = o.failed > 1 || c.same || rec.streak > 0 && rec.broke || crowdOf(others) >= crowdSome
		if rec.streak == 0 {
			rec.split = crowdOf(others) == crowdNone && e.siblingPassed(c)
		}
	}
}

// observeTransitions counts changes between passed and failed among the newest
// results of the line, first attempts only.
func observeTransitions(e *Engine, c *inquiry) {
	o, rec, rules := c.out, c.record, &c.suite.settings.Transition
	if o.flags&flagGuarded != 0 {
		return
	}
	if o.flags&flagElsewhere == 0 {
		rec.push(o.failed > 0 && o.flags&flagBackwards == 0)
	} else {
		rec.push(o.failed > 0)
	}
	score := transitionScore(rec, rules)
	switch {
	case !rec.transitions && score >= rules.Alarm:
		rec.transitions = true
		if rec.says == saysDetected || rec.says == saysSuspected && !rules.Detects {
			return
		}
		if rec.says == saysNothing {
			e.begin(rec, c.at)
		}
		rec.says = saysSuspected
		kind := testengine.FlakySuspected
		if rules.Detects {
			rec.says, kind = saysDetected, testengine.FlakyDetected
		}
		e.say(c, kind, ruleTransitions, fmt.Sprintf("%.2f of the last %d results are changes", score, rules.Window))
	case rec.transitions && score <= rules.Recover:
		rec.transitions = false
	}
}

// transitionScore divides by the window, not by the results seen, so that a
// young test does not look flaky after one change.
func transitionScore(rec *record, rules *TransitionCount) float64 {
	toFailed, toPassed := rec.changes(rules.Window)
	changes := toFailed + toPassed
	switch rules.Transitions {
	case "passed_to_failed":
		changes = toFailed
	case "failed_to_passed":
		changes = toPassed
	}
	return float64(changes) / float64(rules.Window)
}

// observeBroken counts failing commits in a row. Those in a storm count too: a
// storm seldom lasts that long, and a break may look like one.
func observeBroken(e *Engine, c *inquiry) {
	o, rec := c.out, c.record
	if o.flags&flagMixed != 0 || o.passed > 0 || o.failed == 0 {
		passed := o.passed > 0
		if rec.streak > 0 && passed && c.deciding == "" && rec.probability() >= c.suite.settings.Filter.Alarm {
			c.deciding = ruleRetry // What retries have shown was held back while the line failed.
		}
		rec.streak = 0
		if rec.broken && passed && o.flags&flagElsewhere == 0 {
			rec.broken = false
			e.say(c, testengine.TestFixed, ruleBroken, "")
		}
		return
	}
	if !c.same || rec.streak == 0 {
		rec.streak = min(rec.streak+1, 15)
	}
	e.sayBroken(c)
}

// observeLate takes a failure of a commit that others overtook on their way
// here: it moves nothing but a streak it belongs to.
func observeLate(e *Engine, c *inquiry) {
	o, rec := c.out, c.record
	if o.failed == 0 || o.passed > 0 || o.flags&flagMixed != 0 || rec.streak == 0 || rec.newest-c.run.place > 2 {
		return
	}
	rec.streak = min(rec.streak+1, 15)
	e.sayBroken(c)
}

func (e *Engine) sayBroken(c *inquiry) {
	rec, rules := c.record, &c.suite.settings.Broken
	if rec.broken || int(rec.streak) < rules.Commits &&
		!(rec.streak >= 2 && rec.belief.ProbabilityBroken() >= rules.Posterior) {
		return
	}
	rec.broken = true
	if rec.brokenEpisode < mostEpisodes {
		rec.brokenEpisode++
	}
	e.say(c, testengine.TestBroken, ruleBroken, fmt.Sprintf("%d failing commits in a row", rec.streak))
}

// failedAt notes a failing run: when, how long after the last, at which hour.
func (r *record) failedAt(at int64, settings *Settings) {
	seconds := uint32(at / 1000)
	if r.lastFailure != 0 && seconds > r.lastFailure {
		gap := min((seconds-r.lastFailure)/600, maxGap)
		// After a gap beyond the stale time it is another story.
		if int64(gap)*600_000 < settings.Healing.Stale {
			r.longestGap = max(r.longestGap, uint16(gap))
		}
	}
	r.lastFailure = max(r.lastFailure, seconds)
	if r.failures < maxFailures {
		r.failures++
	}
	r.hours |= 1 << hourOf(at)
	r.clean, r.cleanAtHour = 0, 0
}

func hourOf(at int64) int { return int(at / hour % 24) }

// observeHealing counts clean runs of a flaky test and says when they suffice.
func observeHealing(e *Engine, c *inquiry) {
	o, rec := c.out, c.record
	rec.runs = min(rec.runs+1, 65535)
	if o.failed > 0 {
		rec.lineFailures = min(rec.lineFailures, maxLineFailures-1) + 1
	}
	if o.failed > 0 || o.flags&flagMixed != 0 {
		return
	}
	if rec.clean < maxClean {
		rec.clean++
	}
	if rec.hours&(1<<hourOf(c.run.firstEver)) != 0 && rec.cleanAtHour < 255 {
		rec.cleanAtHour++
	}
	if rec.says != saysDetected || !rec.healed(c.at, &c.suite.settings.Healing) {
		return
	}
	needed := rec.cleanRuns(&c.suite.settings.Healing)
	e.endEpisode(c, testengine.FlakyHealed, fmt.Sprintf("%d clean runs, %d were needed", rec.clean, needed))
}

// cleanRuns is how many clean runs make a relapse unlikely at the rate seen
// up to the last failure: what came after is what is being judged.
func (r *record) cleanRuns(rules *Healing) int {
	rate := float64(r.lineFailures+1) / float64(r.runs-min(uint32(r.clean), r.runs)+20)
	return min(max(int(rules.Factor/rate), rules.MinRuns), rules.MaxRuns)
}

// healed waits for enough clean runs, for longer than the longest gap between
// failures, and for the hours of the day the test failed at.
func (r *record) healed(now int64, rules *Healing) bool {
	if int(r.clean) < r.cleanRuns(rules) {
		return false
	}
	quiet := now - int64(r.lastFailure)*1000
	if quiet < rules.Quiet || float64(quiet) <= rules.Gap*float64(r.longestGap)*600_000 {
		return false
	}
	return bits.OnesCount32(r.hours) > 8 || int(r.cleanAtHour) >= rules.MinRuns
}

// endEpisode ends what was said about a test and begins to learn anew: who was
// flaky once is likelier to be again.
func (e *Engine) endEpisode(c *inquiry, kind testengine.VerdictType, why string) {
	rec := c.record
	e.say(c, kind, ruleHealing, why)
	rec.says = saysNothing
	rec.belief = filter.AfterPasses(0)
	rec.failures, rec.lineFailures, rec.runs, rec.clean, rec.cleanAtHour, rec.hours, rec.longestGap = 0, 0, 0, 0, 0, 0, 0
	rec.pieces, rec.odds, rec.pieceAt, rec.waits, rec.lone, rec.solid, rec.lasted, rec.stretches, rec.branches = 0, relapseOdds, 0, false, 0, 0, 0, 0, 0
	if e.tracer != nil {
		e.tracer.healed[c.key] = true
	}
}

// arm sets the one timer of a test: the end of a wait, or of its time.
func (e *Engine) arm(key uint64, rec *record) {
	due := int64(0)
	if rec.says == saysDetected {
		due = int64(rec.lastFailure)*1000 + e.defaults.Healing.Stale
	}
	if rec.waits {
		due = moment(rec.pieceAt, e.now) + e.defaults.Retry.Wait + 10*minute
	}
	if due == 0 {
		e.state.CancelTimer(key)
		return
	}
	e.state.SetTimer(key, due)
}

// recordDue fires a test's timer.
func (e *Engine) recordDue(key uint64, due int64) {
	rec := e.record(key)
	n := e.namesOf(key)
	s := e.suiteByKey(suiteKey(n.suite))
	if rec == nil || s == nil {
		return
	}
	c := &inquiry{suite: s, key: key, record: rec, names: n, at: due}
	switch {
	case rec.waits:
		e.believe(c)
	case rec.says == saysDetected && due >= int64(rec.lastFailure)*1000+s.settings.Healing.Stale:
		e.endEpisode(c, testengine.FlakyStale, "it has not failed for a long time, nor run often enough to be healed")
	}
	e.finish(c)
}
