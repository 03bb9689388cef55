package adversary

import "math/rand/v2"

// habits are what differs between the places where suites live. The usual ones
// are those of the eight shapes; varied worlds draw them anew for each suite.
type habits struct {
	flakes, breaks, storms int
	rate                   float64 // times the usual rates of flaky tests
	length                 float64 // times the usual length of storms and breaks
	split                  float64 // share of work that fails in one variant only
	quick                  float64 // minutes between builds of branches, times the usual
}

var usual = habits{flakes: 10, breaks: 14, storms: 19, rate: 1, length: 1, quick: 1}

// vary draws the shape and the habits of a suite: who can retry and how, which
// variants there are, how busy it is, how many tests are flaky or none, how
// often and for how long things break. Weights that hold in all of these do not
// lean on the parameters of one world.
func (s *Suite) vary(rng *rand.Rand) {
	between := func(low, high float64) float64 { return low + (high-low)*rng.Float64() }
	sh, h := &s.shape, &s.habits
	sh.retry = []string{"failed", "job", "inside", "extra", "rebuild", "none"}[rng.IntN(6)]
	sh.button = between(0, .5)
	sh.tests = int(float64(sh.tests) * between(.4, 1.6))
	sh.shards, sh.hosts = 1+rng.IntN(4), 3+rng.IntN(12)
	sh.perDay, sh.work = between(5, 22), between(.3, 2)
	sh.queue = rng.IntN(5) == 0
	if sh.body == "jest" || sh.body == "pytest" {
		names := []string{"a", "b", "c"}
		sh.variants = names[:1+rng.IntN(3)]
	}
	if rng.IntN(4) > 0 {
		h.flakes = 1 + rng.IntN(18)
	} else {
		h.flakes = 0
	}
	h.breaks, h.storms = rng.IntN(29), rng.IntN(39)
	h.rate, h.length = between(.4, 2), between(.4, 2.5)
	h.split, h.quick = between(0, .5), between(.3, 2)
}
