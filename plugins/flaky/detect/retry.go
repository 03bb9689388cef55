package detect

import (
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// weighRetry weighs a pass and a failure on one commit: how it came about, and
// what else failed near it.
func weighRetry(e *Engine, c *inquiry) {
	o, rec := c.out, c.record
	if o.flags&flagMixed == 0 {
		return
	}
	crowd := uint8(crowdMany)
	if o.flags&flagGuarded == 0 {
		crowd = crowdOf(e.crowding(c))
	}
	if o.flags&flagFlipped != 0 {
		if crowd > o.crowd {
			e.retract(c, "more failed in the run when it reopened")
		}
		o.crowd = max(o.crowd, crowd)
		return
	}
	o.flags |= flagFlipped
	o.crowd = crowd
	kind, counts := e.kindOf(c)
	c.unlearn()
	if !counts {
		if o.flags&flagSaid != 0 {
			e.retract(c, "it is failing on the line: the other result is of other code")
		}
		return
	}
	if crowd < crowdMany {
		c.deciding = ruleRetry
	}
	known := false
	if o.full != 0 && o.failed > 0 {
		n := e.namesIn(c)
		known = slices.Contains(n.proven, testengine.FormatID(o.full))
		c.proved = n.prove(o.full)
	}
	if further := rec.addPiece(kind, crowd, known, c.at); further != 0 {
		e.gain(c, fact{further + term(crowd), 1})
	}
	if crowd == crowdMany && o.flags&flagSaid != 0 && rec.says == saysSuspected {
		e.retract(c, "the run's other failures explain it")
	}
}

// kindOf says how a pass and a failure came about; counts is false when they
// say nothing.
func (e *Engine) kindOf(c *inquiry) (kind uint8, counts bool) {
	o, rec := c.out, c.record
	if o.flags&(flagLate|flagElsewhere) != 0 && (rec.broken || rec.streak > 0 && rec.newest != c.run.place) {
		return 0, false
	}
	moved := o.flags&(flagLate|flagElsewhere) != 0 && !c.run.follows && rec.brokeLately()
	if moved || e.onlyFailed(c) > 0 {
		return pieceOutage, true
	}
	switch {
	case o.flags&(flagLate|flagElsewhere) != 0 && c.firm():
		return pieceFirm, true
	case o.flags&(flagLate|flagElsewhere) != 0 && !c.run.follows:
		return pieceBranch, true
	case o.flags&(flagLate|flagElsewhere|flagBackwards) != 0:
		return pieceOther, true
	}
	return pieceRetry, true
}

// unlearn takes back what the line made of the failure: it was taken for the
// whole story of its commit, and must not count twice.
func (c *inquiry) unlearn() {
	rec := c.record
	if !c.run.follows {
		return
	}
	switch {
	case rec.newest == c.run.place:
		rec.streak = 0
		if c.out.flags&flagObserved != 0 && c.out.failed > 0 {
			rec.belief.Unfailed(4e-4)
		}
	case c.out.flags&(flagElsewhere|flagLate) != 0 && rec.newest > c.run.place && rec.newest < c.run.place+restful && rec.lone > 0:
		rec.lone--
		rec.belief.Unfailed(4e-4)
	}
}

// firm says whether retries had failed as well before the commit passed.
func (c *inquiry) firm() bool {
	if c.out.failed > 1 {
		return true
	}
	for i := range c.scene.recent {
		if x := &c.scene.recent[i]; x.key == c.key && x.slot == c.run.slot && x.slot != 0 && x.flags&flagTwice != 0 {
			return true
		}
	}
	return false
}

// crowding counts what failed around a mixed result and was not expected to.
func (e *Engine) crowding(c *inquiry) float64 {
	o := c.out
	near := vicinity{self: c.key, from: c.at - c.suite.settings.Storm.Window, to: c.at, notIn: c.run.key, flips: true, enough: 2}
	if o.flags&flagElsewhere != 0 {
		near.slot = c.run.slot
	}
	// A flip beside it hints at a storm; a failing retry at a break or a storm.
	others := c.flips + .5*min(e.neighbours(c.scene.recent, near), near.enough)
	if c.run.follows {
		others += .5 * min(c.fails, 4)
	} else {
		others += .25 * min(c.fails, 4) // branches are where work fails
	}
	if o.host != 0 {
		others += e.neighbours(c.scene.recent, vicinity{self: c.key, from: c.at - 3*hour, to: c.at, host: o.host, mixed: true, notIn: c.run.key})
	}
	return others
}

// onlyFailed counts the other runs in which the test lately failed and never
// passed, unless it came and went before.
func (*Engine) onlyFailed(c *inquiry) (runs int) {
	for i := range c.scene.recent {
		x := &c.scene.recent[i]
		switch {
		case x.key != c.key || x.run == c.run.key || x.at <= c.at-3*hour || x.slot == c.run.slot && x.slot != 0:
		case x.flags&flagMixed != 0:
			if runs == 0 {
				return 0
			}
		default:
			runs++
		}
	}
	return runs
}

// retract takes back what a piece of evidence was worth and, when nothing else
// holds it, what was said.
func (e *Engine) retract(c *inquiry, why string) {
	rec := c.record
	if rec.waits && rec.pieceAt == tenMinutes(c.at) || rec.waits && rec.again+rec.returned == 0 {
		rec.crowd = crowdMany
	}
	if rec.says == saysNothing || rec.probability() >= c.suite.settings.Filter.Suspect {
		return
	}
	e.takeBack(c, why)
}

// takeBack says that what was said about a test does not hold.
func (e *Engine) takeBack(c *inquiry, why string) {
	c.record.says = saysNothing
	e.say(c, testengine.FlakyRetracted, ruleRetry, why)
}

// suspectAtOnce speaks before the run closes, while the run is calm.
func (e *Engine) suspectAtOnce(key uint64, rec *record, o *outcome) {
	rules := e.suite.settings.Retry.Monitor
	if rec.says != saysNothing || rules.Disabled || e.run.failing > 3 || o.flags&(flagLate|flagElsewhere) != 0 {
		return
	}
	e.begin(rec, e.now)
	rec.says = saysSuspected
	o.flags |= flagSaid
	likely := *rec
	likely.addPiece(pieceRetry, crowdOf(float64(e.run.failing-1)), false, e.now)
	c := &inquiry{suite: e.suite, run: e.run, out: o, key: key, record: rec, at: e.now}
	e.sayWith(c, testengine.FlakySuspected, ruleRetry, "", likely.probability())
	e.putRecord(key, rec)
}

// maxBranches is how many failures on branches count: a test that much work is
// about fails on many.
const maxBranches = 3

// weighBranch takes a failure on a branch that nothing passed beside: work fails there.
func (e *Engine) weighBranch(c *inquiry) {
	rec := c.record
	if rec.broken || rec.streak > 0 {
		return
	}
	if c.quiet < 3*hour || rec.branches == maxBranches || rec.brokeLately() {
		return
	}
	if c.flips+c.fails > .35 || c.out.failed > 1 {
		return
	}
	if e.siblingPassed(c) {
		split := fact{termBranch, 1}
		e.gain(c, split)
		e.tellSiblings(c, 0, split)
	} else {
		rec.branches++
	}
}
