package detect

import "math"

// fact is a term that holds so many times.
type fact struct {
	term  term
	times float32
}

// worth is what facts add, as log-odds. The conversion keeps processors that
// can fuse a product and a sum from rounding otherwise.
func worth(list []fact) (odds float32) {
	for _, f := range list {
		odds += float32(f.times * weights[f.term])
	}
	return odds
}

// lineEnds takes the end of a failure on the line: the next commit passed.
func (e *Engine) lineEnds(c *inquiry) {
	r := c.record
	// The newest result in the window is the failure that ends now.
	apart := (r.window[0]>>1)&lowBits(restful) == 0
	switch {
	case r.streak == 0:
	case r.streak == 1 && r.broke && apart:
		r.stretches = min(r.stretches+1, levels)
	case r.streak > 1 && !r.broke:
		r.lasted = min(r.lasted+1, levels)
	case r.broke:
		r.solid = min(r.solid+1, levels)
		r.lone -= min(r.lone, 1)
	default:
		r.lone = min(r.lone+1, levels)
		r.lasted -= min(r.lasted, 1)
		if r.split {
			e.gain(c, fact{termSplit, 1})
			e.tellSiblings(c, 0, fact{termTold, 1})
		}
	}
}

// restful is how many commits without a failure part two causes.
const restful = 24

// gain takes facts into what is known of the test.
func (e *Engine) gain(c *inquiry, list ...fact) { e.gainOf(c.key, c.record, list) }

func (e *Engine) gainOf(key uint64, r *record, list []fact) {
	r.gain(worth(list))
	if e.tracer != nil {
		sums := e.tracer.of(key)
		for _, f := range list {
			sums[f.term] += f.times
		}
	}
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

// leastLine is how far the filter is believed that a test is healthy. Past some
// hundred passes in a row more of them would only outweigh retries that passed:
// a test that fails once in hundreds of commits is flaky all the same. mostLine
// is how far it is believed that a test is flaky: reverted and landed again, a
// break looks flaky to it.
const leastLine, mostLine = -5, 6

// line is the log-odds of the filter's belief, within bounds.
func (r *record) line() float64 {
	p := max(r.belief.ProbabilityFlaky(), 1e-4)
	return max(leastLine, min(math.Log(p/(1-min(p, 1-1e-4))), mostLine))
}

// levels are the kinds of evidence of which it matters how often they were seen,
// but not so many times as much, and what the line says.
func (r *record) levels() []fact {
	own := r.pieces
	if r.waits && r.crowd == crowdNone && r.kind != pieceOutage {
		own++
	}
	list := make([]fact, 0, 10)
	lasted := r.lasted
	if back := r.cameBack(); back > 0 {
		list = append(list, fact{termBack + term(back) - 1, 1})
		if back >= restless {
			lasted = 0
		}
	}
	for _, level := range [...]struct {
		first term
		count uint8
	}{
		{termLone, r.lone}, {termOwn, own}, {termWork, r.branches}, {termSolid, r.solid}, {termLasted, lasted}, {termApart, r.stretches},
	} {
		if level.count > 0 {
			list = append(list, fact{level.first + term(min(level.count, levels)-1), 1})
		}
	}
	line := float32(r.line())
	list = append(list, fact{termLine, min(line, 0)}, fact{termRise, max(line, 0)})
	if r.solid > 0 || lasted > 0 {
		list = append(list, fact{termShaken, max(line, 0)})
	}
	return list
}

// probability is how sure it is that the test is flaky: the share of tests
// with such a score that were, in the worlds the weights were derived on.
func (r *record) probability() float64 {
	score := float64(weights[termBias]) + float64(r.odds) + float64(worth(r.fresh())) + float64(worth(r.levels()))
	return 1 / (1 + math.Exp(-score))
}
