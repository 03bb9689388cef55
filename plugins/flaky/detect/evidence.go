package detect

import (
	"fmt"
	"math"
)

// A piece of evidence is a pass and a failure on one commit. Pieces of a test
// that lie close together are one episode: they may have one cause.

// How the pass and the failure came about.
const (
	pieceRetry  = iota // failed, then passed in the same run within minutes
	pieceOther         // in another run, hours later, or passed first
	pieceOutage        // the test had only failed in the runs before: an outage may have ended
	pieceKinds
)

// How many others failed near it whose failure nobody could expect.
const (
	crowdNone = iota
	crowdOne  // a failure beside it, or a test that may be flaky itself
	crowdSome // up to three tests
	crowdMany // more, or a storm
	crowdSizes
)

const (
	// episode is how long an episode lasts at most, from its first piece.
	episode = 3 * hour
	// maxAgain bounds what further pieces of one episode add.
	maxAgain = 3
	// sameDay is the time within which two episodes may still be one long storm.
	sameDay = 12 * hour
)

// crowdOf is the size of a crowd of so many others.
func crowdOf(others float64) uint8 {
	switch {
	case others <= .35:
		return crowdNone
	case others <= 1.1:
		return crowdOne
	case others <= 3.1:
		return crowdSome
	}
	return crowdMany
}

// addPiece takes a piece of evidence into the record: as a new episode, which
// waits to be settled, or as one more piece of the last.
func (r *record) addPiece(kind, crowd uint8, known bool, at int64) {
	old := since(r.pieceAt, at)
	switch {
	case r.waits:
		r.again = min(r.again+1, 7)
		r.crowd = max(r.crowd, crowd)
		r.kind = max(r.kind, kind)
	case r.had && old < episode:
		r.again = min(r.again+1, 7)
		if r.again <= maxAgain && max(r.kind, kind) != pieceOutage {
			r.gain(weights.again[crowd])
		}
	default:
		r.near = r.had && old < sameDay
		r.pieceAt, r.kind, r.crowd, r.again, r.same = tenMinutes(at), kind, crowd, 0, known
		r.waits = true
		r.had = true
	}
}

// fresh is what the episode that waits is worth so far, as log-odds.
func (r *record) fresh() float32 {
	if !r.waits {
		return 0
	}
	return weights.fresh[r.kind][r.crowd] + r.more(&weights.freshAgain) + r.circumstances()
}

// more is what the further pieces of the episode add; at the end of an outage
// or a break many commits pass again, for one cause. The conversion keeps
// processors that can fuse a product and a sum from rounding otherwise.
func (r *record) more(each *[crowdSizes]float32) float32 {
	if r.kind == pieceOutage {
		return 0
	}
	return float32(float32(min(r.again, maxAgain)) * each[r.crowd])
}

// circumstances are what an episode gains or loses by what was before it.
func (r *record) circumstances() float32 {
	sum := float32(0)
	if r.same {
		sum += weights.same[min(r.crowd, 1)]
	}
	if r.near {
		sum += weights.near
	}
	return sum
}

// lineEnds takes the end of a failure on the line: the next commit passed.
func (r *record) lineEnds() {
	switch {
	case r.streak == 0:
	case r.streak > 1 || r.broke:
		r.gain(weights.solid)
		r.lone -= min(r.lone, 1)
	default:
		r.lone = min(r.lone+1, uint8(len(believed)-1))
		if r.split {
			r.gain(weights.split)
		}
	}
}

// settle ends the wait of an episode.
func (r *record) settle(crowd uint8) {
	r.crowd = max(r.crowd, crowd)
	r.gain(weights.settled[r.kind][r.crowd] + r.more(&weights.again) + r.circumstances())
	r.waits = false
}

// gain adds log-odds. Storms count against a test, for who is often struck is
// likelier to be struck the next time too, but only up to a point.
func (r *record) gain(odds float32) {
	r.odds += odds
	if odds < 0 {
		r.odds = max(r.odds, min(r.odds-odds, leastOdds))
	}
	r.odds = min(r.odds, mostOdds)
}

// Log-odds are kept within these, so that nothing is ever certain.
const leastOdds, mostOdds = -3, 12

// believed is how far the filter is believed by how many failures it saw alone.
// Reverted and landed again, a break looks flaky to it; what never failed alone
// is no more than suspected for that.
var believed = [4]float64{-1, 1, 3, 9}

// line is the log-odds of the filter's belief, within bounds.
func (r *record) line() float64 {
	p := max(r.belief.ProbabilityFlaky(), 1e-4)
	return min(math.Log(p/(1-min(p, 1-1e-4))), believed[r.lone])
}

// probability is how sure it is that the test is flaky: the share of tests
// with such a score that were, in the worlds the weights were derived on.
func (r *record) probability() float64 {
	score := float64(weights.bias) + float64(r.odds) + float64(r.fresh()) + float64(float64(weights.line)*r.line())
	return 1 / (1 + math.Exp(-score))
}

// believe settles a test's episode after its wait, when what failed before and
// after it is known.
func (e *Engine) believe(c *inquiry) {
	rec := c.record
	piece, wait := moment(rec.pieceAt, c.at), c.suite.settings.Retry.Wait
	recent := e.recentOf(c.suite)
	others := e.neighbours(recent, vicinity{self: c.key, from: piece - wait, to: c.at, flips: true})
	for i := range recent {
		if x := &recent[i]; x.key == c.key && x.host != 0 && x.at >= piece {
			others = max(others, e.neighbours(recent, vicinity{self: c.key, from: piece - episode, to: c.at, host: x.host, mixed: true}))
		}
	}
	before := rec.odds
	rec.settle(crowdOf(others))
	e.tellSiblings(c, rec.odds-before)
	if rec.crowd == crowdNone {
		rec.pieces = min(rec.pieces+1, 15)
	}
	c.deciding = ruleRetry
	if rec.says != saysNothing && rec.crowd >= crowdSome && rec.probability() < c.suite.settings.Filter.Suspect {
		e.takeBack(c, fmt.Sprintf("about %.0f other tests failed near it: one cause is likelier", math.Ceil(others)))
		return
	}
	e.judge(c)
}
