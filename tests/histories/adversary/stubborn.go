package adversary

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// Stubborn tests are flaky, and retries do not show it: whatever fails them holds
// for all attempts of a run. Beside them stand modules that are being worked on,
// which truly break and are mended a few times.

// stubbornKinds are what fails all attempts of a run: its own luck, the machine
// that it stays on, the hour, or an environment that others use as well.
var stubbornKinds = []string{"stubborn luck", "stubborn machine", "stubborn night", "stubborn luck", "stubborn shared"}

// addStubborn makes some tests stubborn, usually four, that are not flaky yet.
func (s *Suite) addStubborn() {
	first := s.rng.IntN(len(stubbornKinds))
	for n := range 4 {
		t := s.Tests[s.rng.IntN(s.shape.tests-2)]
		if t.Kind != "" {
			continue
		}
		t.Kind = stubbornKinds[(first+n)%len(stubbornKinds)]
		t.alike = s.chance(.5)
		switch t.Kind {
		case "stubborn machine":
			t.host, t.rate = s.hosts[s.rng.IntN(len(s.hosts))], s.between(.5, 1)
		case "stubborn night":
			from := int64(s.rng.IntN(22))
			t.hours, t.rate = [2]int64{from, from + 2}, s.between(.5, .95)
		case "stubborn shared":
			for range 5 + s.rng.IntN(8) {
				from := s.moment()
				t.spans = append(t.spans, span{from, from + int64(s.between(.3, 2)*float64(hour))})
			}
			t.rate = s.between(.8, 1)
		default:
			t.rate = min(math.Exp(s.between(math.Log(.03), math.Log(.2)))*s.habits.rate, .5)
		}
	}
}

// stubborn says whether a stubborn test fails in the whole of a run.
func (s *Suite) stubborn(t *Test, j *job) bool {
	switch at := j.at; t.Kind {
	case "stubborn machine":
		return j.host == t.host && t.luck(j) < t.rate
	case "stubborn night":
		h := at / hour % 24
		return h >= t.hours[0] && h < t.hours[1] && t.luck(j) < t.rate
	case "stubborn shared":
		for _, busy := range t.spans {
			if busy.holds(at) {
				return t.luck(j) < t.rate
			}
		}
		return false
	}
	return t.luck(j) < t.rate
}

// luck is a number from 0 to 1 that a test draws once a run, or once a variant of it.
func (t *Test) luck(j *job) float64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(j.key))
	seed := uint64(t.id)
	if !t.alike {
		seed += uint64(j.variant+1) << 32
	}
	return rand.New(rand.NewPCG(hash.Sum64(), seed)).Float64()
}

// addChurn breaks the tests of two modules that are being worked on three to six
// times each, mostly for several commits.
func (s *Suite) addChurn() {
	for range 2 {
		first, size := s.rng.IntN(len(s.Tests)-3), 1+s.rng.IntN(3)
		at := 3 + s.rng.IntN(len(s.commits)/2)
		pause := max(2, s.rng.IntN(len(s.commits)/8+1))
		same := s.chance(.4)
		for n := range 3 + s.rng.IntN(4) {
			length := []int{1, 2, 2, 3, 3, 4, 6}[s.rng.IntN(7)]
			if at+length >= len(s.commits) {
				break
			}
			b := &Break{Kind: "churn", Variant: -1, From: at, To: at + length, Runs: map[*Test]map[int]int64{}}
			b.message = "assertion of the module failed: " + string(rune('a'+n))
			if same {
				b.message = "the module is not ready"
			}
			for i := range size {
				if i == 0 || s.chance(.7) {
					b.Tests = append(b.Tests, s.Tests[first+i])
				}
			}
			s.Breaks = append(s.Breaks, b)
			at = b.To + 1 + s.rng.IntN(pause)
		}
	}
}

// doubt takes back that the first three failures show it where no pass on their
// commit does: a test that breaks and is mended looks like that.
func (t *Test) doubt() {
	doubtful := 0
	for i := range t.Failing {
		if f := &t.Failing[i]; f.main && doubtful < 3 {
			doubtful++
			f.Evident = false
		}
	}
}
