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
	pieceOther         // in another run of the line, hours later, or passed first
	pieceBranch        // likewise on a branch: it may have been built on another base
	pieceFirm          // likewise, after retries had failed: what failed it may have been mended
	pieceOutage        // the test had only failed in the runs before: an outage may have ended
	pieceKinds
)

// How many others failed near it whose failure nobody could expect.
const (
	crowdNone = iota
	crowdOne  // a failure beside it, or a test that may be flaky itself
	crowdTwo
	crowdSome // up to four tests
	crowdDozen
	crowdMany // more, or a storm
	crowdSizes
)

const (
	// episode is how long an episode lasts at most, from its first piece.
	episode = 90 * minute
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
	case others <= 2.1:
		return crowdTwo
	case others <= 4.1:
		return crowdSome
	case others <= 8.1:
		return crowdDozen
	}
	return crowdMany
}

// addPiece takes a piece of evidence into the record: as a new episode, which
// waits to be settled, or as one more piece of the last. When that is settled
// already, it returns what the piece is: termAgain or termReturned.
func (r *record) addPiece(kind, crowd uint8, known bool, at int64) (further term) {
	old := since(r.pieceAt, at)
	switch {
	case r.waits:
		r.further()
		r.crowd = max(r.crowd, crowd)
		r.kind = max(r.kind, kind)
	case r.had() && old < episode:
		if r.further() && max(r.kind, kind) != pieceOutage {
			further = termAgain
			if r.calm {
				further = termReturned
			}
		}
	default:
		r.near = r.had() && old < sameDay
		r.pieceAt, r.kind, r.crowd, r.again, r.returned, r.same = beginning(at), kind, crowd, 0, 0, known
		r.waits = true
	}
	r.calm = false
	return further
}

// further counts one more piece of the episode, and says whether it is still
// told apart. One that came back after a calm run is no part of a storm that
// lasts: it counts by itself.
func (r *record) further() bool {
	n := &r.again
	if r.calm {
		n = &r.returned
	}
	if *n == maxAgain {
		return false
	}
	*n++
	return true
}

// passedCalmly takes a pass at the first attempt, in a run in which the test did
// not fail. It says whether that is news: the episode of evidence has paused.
func (r *record) passedCalmly(now int64) bool {
	if !r.had() || r.calm || since(r.pieceAt, now) >= episode {
		return false
	}
	r.calm = true
	return true
}

// fresh is what the episode that waits shows so far.
func (r *record) fresh() []fact {
	if !r.waits {
		return nil
	}
	return append(r.shows(), fact{termWaits + term(r.crowd), 1})
}

// shows is the episode and its circumstances in terms. The further pieces of an
// outage add nothing: many commits pass again then, for one cause, and what is
// reverted and landed again fails as it did before.
func (r *record) shows() []fact {
	list := append(make([]fact, 0, 7), fact{termPiece + term(r.kind), 1}, fact{termCrowd + term(r.crowd), 1})
	if r.kind == pieceOutage {
		return list
	}
	if r.again > 0 {
		list = append(list, fact{termAgain + term(r.crowd), float32(r.again)})
	}
	if r.returned > 0 {
		list = append(list, fact{termReturned + term(r.crowd), float32(r.returned)})
	}
	if r.same {
		list = append(list, fact{termSame + term(r.crowd), 1})
	}
	if r.near {
		list = append(list, fact{termNear + term(r.crowd), 1})
	}
	return list
}

// believe settles a test's episode after its wait, when what failed before and
// after it is known.
func (e *Engine) believe(c *inquiry) {
	rec := c.record
	piece, wait := moment(rec.pieceAt, c.at), c.suite.settings.Retry.Wait
	recent := e.recentOf(c.suite)
	others := e.neighbours(recent, vicinity{self: c.key, from: piece - wait, to: c.at, flips: true, centre: piece + 5*minute})
	for i := range recent {
		if x := &recent[i]; x.key == c.key && x.host != 0 && x.at >= piece {
			others = max(others, e.neighbours(recent, vicinity{self: c.key, from: piece - 2*episode, to: c.at, host: x.host, mixed: true}))
		}
	}
	rec.crowd = max(rec.crowd, crowdOf(others))
	shown := rec.shows()
	rec.waits = false
	e.gain(c, shown...)
	e.tellSiblings(c, rec.pieceAt, shown...)
	if rec.crowd == crowdNone && rec.kind != pieceOutage {
		rec.pieces = min(rec.pieces+1, levels)
	}
	c.deciding = ruleRetry
	if rec.says != saysNothing && rec.crowd >= crowdTwo && rec.probability() < c.suite.settings.Filter.Suspect {
		e.takeBack(c, fmt.Sprintf("about %.0f other tests failed near it: one cause is likelier", math.Ceil(others)))
		return
	}
	e.judge(c)
}
