package detect

import (
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// How many times likelier a pass and a failure on one commit is for a flaky
// test than for one that is not, by how it came about.
const (
	worthRetry     = 300 // failed, then passed in the same run within minutes
	worthElsewhere = 100 // the same, in another run
	worthBackwards = 40  // passed, then failed
	worthAnother   = 20  // passed in one run, failed in a later one
	worthLate      = 6   // hours between: code or world may have moved
	worthAlone     = 70  // a single piece of evidence near which nothing else failed for a while
	worthNearAlone = 4
	// ownPiece is what a piece is worth at least to count as the test's own.
	ownPiece = 200
)

// weighRetry weighs a pass and a failure on one commit. On an otherwise green
// run it is the test's own; beside other tests that never failed it is weak,
// and weaker on a host that fails others.
func weighRetry(e *Engine, c *inquiry) {
	o, rec := c.out, c.record
	if o.flags&flagMixed == 0 {
		return
	}
	factor := 1.0
	if o.flags&flagGuarded == 0 {
		factor = e.worth(c)
	}
	if o.flags&flagFlipped == 0 {
		factor *= coincidence(c)
	}
	if o.flags&flagFlipped != 0 {
		if o.flags&flagGuarded != 0 && o.factor > 1 {
			e.retract(c, "a storm was seen when the run reopened")
		}
		return
	}
	o.flags |= flagFlipped
	o.factor = float32(factor)
	if c.run.follows && o.flags&flagObserved != 0 && rec.newest == c.run.place {
		rec.streak = 0 // its failure was taken for the whole story
	}
	if factor <= 1 {
		if o.flags&flagSaid != 0 && rec.says == saysSuspected {
			o.factor = 1
			e.retract(c, "the run's other failures explain it")
		}
		return
	}
	rec.belief.Mixed(factor)
	e.tellSiblings(c, factor)
	c.deciding = ruleRetry
	rec.pieceAt = tenMinutes(c.at)
	if o.full != 0 {
		c.proved = e.namesIn(c).prove(o.full)
	}
	if factor < ownPiece {
		return
	}
	rec.pieces = min(rec.pieces+1, 15)
	if rec.says != saysDetected && c.suite.settings.Retry.Wait > 0 {
		rec.waits = true
	}
}

// worth is how many times likelier the mixed result is for a flaky test.
func (e *Engine) worth(c *inquiry) float64 {
	o, rec := c.out, c.record
	var worth float64
	switch elsewhere, backwards := o.flags&flagElsewhere != 0, o.flags&flagBackwards != 0; {
	case o.flags&flagLate != 0:
		worth = worthLate
	case elsewhere && backwards:
		worth = worthAnother
	case backwards:
		worth = worthBackwards
	case elsewhere:
		worth = worthElsewhere
	default:
		worth = worthRetry
	}
	if o.flags&(flagLate|flagElsewhere) != 0 && (rec.broken || rec.streak > 0 && rec.newest != c.run.place) {
		return 1 // it is failing on the line: the other result is of other code
	}
	worth /= e.crowding(c)
	worth /= e.outage(c)
	return max(worth, 2)
}

// crowding is how much weaker a mixed result is for what failed around it.
func (e *Engine) crowding(c *inquiry) float64 {
	o := c.out
	near := vicinity{self: c.key, from: c.at - c.suite.settings.Storm.Window, to: c.at, notIn: c.run.key, flips: true}
	if o.flags&flagElsewhere != 0 {
		near.slot = c.run.slot
	}
	// A failing retry hints at a break or a storm; a flip at a storm.
	others := float64(c.flips) + .5*float64(min(e.neighbours(c.scene.recent, near), 2))
	if c.run.follows {
		others += .5 * float64(min(c.fails, 4))
	} else {
		others += .25 * float64(min(c.fails, 4)) // branches are where work fails
	}
	c.crowd = others
	by := 1.0
	switch {
	case others == 0:
	case others <= .5:
		by = 2
	case others <= 1:
		by = 8
	case others <= 2:
		by = 50
	default:
		by = 150
	}
	if o.host != 0 {
		switch e.neighbours(c.scene.recent, vicinity{self: c.key, from: c.at - 3*hour, to: c.at, host: o.host, mixed: true}) {
		case 0:
		case 1:
			by *= 3
		default:
			by *= 10
		}
	}
	if others >= 1 && since(c.record.pieceAt, c.at) < 2*hour {
		by *= 20 // the same incident as the last piece
	}
	return by
}

// outage is how much weaker a mixed result is when the test only failed in
// other runs lately: then it is the end of an outage, or its beginning.
func (*Engine) outage(c *inquiry) float64 {
	solid, before := 0, false
	for i := range c.scene.recent {
		x := &c.scene.recent[i]
		switch {
		case x.key != c.key || x.run == c.run.key || x.at <= c.at-3*hour || x.slot == c.run.slot && x.slot != 0:
		case x.flags&flagMixed != 0:
			before = before || solid == 0
		default:
			solid++
		}
	}
	if before {
		return 1 // it came and went before
	}
	switch solid {
	case 0:
		return 1
	case 1:
		return 10
	}
	return 100
}

// retract takes back a piece of evidence and, when nothing else holds it, what
// was said.
func (e *Engine) retract(c *inquiry, why string) {
	o, rec := c.out, c.record
	if o.factor > 1 {
		rec.belief.Retract(float64(o.factor))
		if o.factor >= ownPiece && rec.pieces > 0 {
			rec.pieces--
		}
		o.factor = 1
	}
	if rec.pieces == 0 {
		rec.waits = false
	}
	if rec.says == saysNothing || rec.belief.ProbabilityFlaky() >= c.suite.settings.Filter.Suspect {
		return
	}
	rec.says = saysNothing
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
	likely := rec.belief
	likely.Mixed(worthRetry)
	c := &inquiry{suite: e.suite, run: e.run, out: o, key: key, record: rec, at: e.now}
	e.sayWith(c, testengine.FlakySuspected, ruleRetry, "", likely.ProbabilityFlaky())
	e.putRecord(key, rec)
}

// believe decides about a single piece of own evidence after its wait: nothing
// else may have failed near it.
func (e *Engine) believe(c *inquiry) {
	rec := c.record
	piece := moment(rec.pieceAt, c.at)
	wait := c.suite.settings.Retry.Wait
	rec.waits = false
	if rec.says == saysDetected {
		return
	}
	recent := e.recentOf(c.suite)
	others := e.neighbours(recent, vicinity{self: c.key, from: piece - wait, to: c.at, flips: true})
	for i := range recent {
		if x := &recent[i]; x.key == c.key && x.host != 0 && others == 0 {
			others = e.neighbours(recent, vicinity{self: c.key, from: piece - sightingLifetime, to: c.at, host: x.host, mixed: true})
		}
	}
	switch others {
	case 0:
		rec.belief.Mixed(worthAlone)
	case 1:
		rec.belief.Mixed(worthNearAlone)
	default:
		// It was a storm's after all, seen too late.
		rec.belief.Retract(worthRetry / 10)
		return
	}
	c.deciding = ruleRetry
	e.judge(c)
}
