// Package filter holds the three-state Bayes filter: a test is healthy, broken,
// or flaky with one of six failure rates, and every commit says a little about
// which it is.
package filter

// rates are the flaky failure rates the filter tells apart.
var rates = [6]float64{.003, .01, .03, .08, .2, .4}

// How tests change from one commit to the next, as probabilities, and what is
// believed of a test before its first. They are fitted to simulated suites whose
// truth is known; tests/histories scores what they lead to on others and on real ones.
const (
	breaks       = 5e-4 // healthy to broken
	fixed        = .15  // broken to healthy
	turnsFlaky   = 2e-5 // healthy to flaky
	flakyHealed  = 2e-4 // flaky to healthy
	flakyBroken  = 5e-4 // flaky to broken
	brokenFlaky  = 1e-3 // broken to flaky
	passesBroken = .001 // a broken test passes all the same
	priorFlaky   = .02
	priorBroken  = .005
	leastHealthy = 1e-6 // below this the belief in health would not come back
)

// State is the belief about one test: probabilities that sum to one.
type State struct {
	Healthy, Broken float32
	Flaky           [6]float32
}

// Start is the belief about a test that was never seen.
func Start() State {
	s := State{Healthy: 1 - priorFlaky - priorBroken, Broken: priorBroken}
	for k := range s.Flaky {
		s.Flaky[k] = priorFlaky / 6
	}
	return s
}

// ProbabilityFlaky is the belief that the test is flaky.
func (s *State) ProbabilityFlaky() float64 {
	sum := 0.0
	for _, f := range s.Flaky {
		sum += float64(f)
	}
	return sum
}

// ProbabilityBroken is the belief that the test is broken.
func (s *State) ProbabilityBroken() float64 { return float64(s.Broken) }

// Predict moves the belief one commit on. crowd says how much likelier than
// usual a break is at this commit: other tests fail at it as well.
func (s *State) Predict(crowd float64) {
	h, b := float64(s.Healthy), float64(s.Broken)
	f := s.ProbabilityFlaky()
	hb := breaks * crowd
	s.Healthy = float32(float64(h*(1-hb-turnsFlaky)) + float64(b*fixed) + float64(f*flakyHealed))
	s.Broken = float32(float64(b*(1-fixed-brokenFlaky)) + float64(h*hb) + float64(f*flakyBroken))
	into := (float64(h*turnsFlaky) + float64(b*brokenFlaky)) / 6
	for k := range s.Flaky {
		s.Flaky[k] = float32(float64(float64(s.Flaky[k])*(1-flakyBroken-flakyHealed)) + into)
	}
}

// Passed updates the belief by a run in which the test only passed.
func (s *State) Passed() {
	h := float64(s.Healthy) * (1 - 4e-4)
	b := float64(s.Broken) * passesBroken
	var f [6]float64
	for k := range f {
		f[k] = float64(s.Flaky[k]) * (1 - rates[k])
	}
	s.settle(h, b, f)
}

// Failed updates the belief by a run in which the test only failed, attempts
// times. chance is how probable it is that a healthy test fails in such a run:
// 4e-4 on its own, more when others fail beside it.
func (s *State) Failed(attempts int, chance float64) {
	half := 1.0
	if attempts > 6 {
		attempts = 6
	}
	h := float64(s.Healthy) * chance
	for range attempts - 1 {
		half *= .5
	}
	b := float64(s.Broken) * .999
	var f [6]float64
	for k := range f {
		again := 1.0
		for range attempts - 1 {
			again *= max(rates[k], .1)
		}
		f[k] = float64(s.Flaky[k]) * rates[k] * again
	}
	s.settle(h*half, b, f)
}

// FailedAgain updates the belief by a retry that failed as well.
func (s *State) FailedAgain() {
	var f [6]float64
	for k := range f {
		f[k] = float64(s.Flaky[k]) * max(rates[k], .1)
	}
	s.settle(float64(s.Healthy)*.5, float64(s.Broken)*.999, f)
}

// Unfailed takes back what one failure of the given chance made of the belief
// that the test is flaky: the commit passed as well, which is judged elsewhere.
func (s *State) Unfailed(chance float64) {
	var f [6]float64
	for k := range f {
		f[k] = float64(s.Flaky[k]) * chance / rates[k]
	}
	s.settle(float64(s.Healthy), float64(s.Broken), f)
}

func (s *State) settle(h, b float64, f [6]float64) {
	sum := h + b
	for _, x := range f {
		sum += x
	}
	if sum <= 0 {
		*s = Start()
		return
	}
	// Never be so sure that the next hundred commits could not change it.
	h = max(h, leastHealthy*sum)
	s.Healthy, s.Broken = float32(h/sum), float32(b/sum)
	for k := range f {
		s.Flaky[k] = float32(f[k] / sum)
	}
}

// MaxPasses is the number of passes after which the belief about a test that
// never failed stands still for all that matters.
const MaxPasses = 2000

var young = func() []State {
	states := make([]State, MaxPasses+1)
	s := Start()
	for n := range states {
		states[n] = s
		s.Predict(1)
		s.Passed()
	}
	return states
}()

// AfterPasses is the belief about a test that passed n times and never failed.
func AfterPasses(n int) State {
	return young[min(max(n, 0), MaxPasses)]
}
