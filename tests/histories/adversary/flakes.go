package adversary

import (
	"fmt"
	"math"
)

// Test is one test and its truth.
type Test struct {
	Scope, Name, File string
	// Kind is the mechanism of its flakiness, "" for a test that is not flaky.
	Kind string
	// Failing are the runs in which it failed by its own doing, oldest first.
	Failing []Failing
	// Causes are all its failures.
	Causes []Cause

	id      int
	message string
	network bool
	rate    float64
	life    span
	hours   [2]int64
	spans   []span
	host    string
	variant int // -1: all
	order   int
	group   int
	alike   bool // stubborn in all variants alike
}

// Failing is a run in which a test failed by itself. Evident says that the
// uploads show it: the test passed on the same commit as well, or it was a
// build of the default branch.
type Failing struct {
	At      int64
	Run     string
	Evident bool

	main bool // nothing but a build of the default branch shows it
}

// Cause is why one execution failed.
type Cause struct {
	At        int64
	Run, Why  string
	SHA, Host string
}

var subjects = []string{"Invoice", "Basket", "Ledger", "Session", "Payout", "Coupon", "Address", "Parcel", "Mailer", "Search", "Webhook", "Report"}

func (s *Suite) addTests() {
	for i := range s.shape.tests {
		subject := subjects[i/7%len(subjects)]
		t := &Test{
			id: i, Scope: fmt.Sprintf("%s%d behaves", subject, i/7), Name: fmt.Sprintf("case %d settles", i),
			File: fmt.Sprintf("tests/%s_%d.test", subject, i/7), variant: -1, network: s.chance(.15),
			life: span{begin, end},
		}
		switch s.rng.IntN(5) {
		case 0:
			t.message = fmt.Sprintf("Expected: %d Received: %d", i, i*3+1)
		case 1:
			t.message = "expect(locator).toBeVisible() failed"
		case 2:
			t.message = "AssertionError: assert False"
		case 3:
			t.message = fmt.Sprintf("no row of %s has the key %s", subject, t.Name)
		case 4:
			t.message = "Deadlock found when trying to get lock"
		}
		s.Tests = append(s.Tests, t)
	}
	// Two tests under one identity in two files, twice.
	for n := range 2 {
		a, b := s.Tests[s.shape.tests-1-n], s.Tests[n*11+3]
		b.Scope, b.Name = a.Scope, a.Name
	}
}

var kinds = []string{
	"rare", "burst", "clock", "order", "host", "variant", "masked", "timeout", "shared", "branches", "later", "monthly",
	"group", "often", "plain", "plain",
}

// addFlakes makes tests of the suite flaky, usually ten.
func (s *Suite) addFlakes() {
	picked := s.rng.Perm(s.shape.tests)
	for range 9 { // rainy days, shared by what bursts
		from := s.moment()
		s.wet = append(s.wet, span{from, from + int64(s.between(4, 40)*float64(hour))})
	}
	first := s.rng.IntN(len(kinds))
	for n := range s.habits.flakes {
		t := s.Tests[picked[n]]
		kind := kinds[(first+n*5)%len(kinds)]
		if kind == "shared" {
			t = s.Tests[s.shape.tests-1-s.rng.IntN(2)]
		}
		if t.Kind == "" {
			s.makeFlaky(t, kind)
		}
	}
}

func (s *Suite) makeFlaky(t *Test, kind string) {
	t.Kind = kind
	t.rate = math.Exp(s.between(math.Log(.012), math.Log(.18)))
	switch kind {
	case "rare":
		t.rate = .005
	case "often":
		t.rate = s.between(.25, .55)
	case "burst":
		t.rate = s.between(.15, .5)
		for _, wet := range s.wet {
			if s.chance(.5) {
				t.spans = append(t.spans, wet)
			}
		}
	case "clock":
		from := int64(7 + s.rng.IntN(11))
		t.hours, t.rate = [2]int64{from, from + 1 + int64(s.rng.IntN(2))}, s.between(.2, .6)
	case "order":
		t.order, t.rate = 4+s.rng.IntN(14), s.between(.6, 1)
	case "host":
		t.host, t.rate = s.hosts[s.rng.IntN(len(s.hosts))], s.between(.08, .3)
	case "variant":
		t.variant = s.rng.IntN(max(1, len(s.shape.variants)))
	case "masked", "branches":
		t.rate = s.between(.03, .25)
	case "later":
		t.life.from = s.moment()
	case "monthly":
		t.rate = 1.5 / (s.shape.perDay * days * (1 + s.shape.work))
	case "group":
		t.group, t.rate = 1+t.id%2, s.between(.02, .06)
	}
	t.rate = min(t.rate*s.habits.rate, .9)
}

// flakes says whether a test fails by itself now.
func (s *Suite) flakes(t *Test, j *job, at int64) bool {
	if t.Kind == "" || !t.life.holds(at) || t.variant >= 0 && t.variant != j.variant {
		return false
	}
	switch t.Kind {
	case "burst":
		for _, wet := range t.spans {
			if wet.holds(at) {
				return s.chance(t.rate)
			}
		}
		return false
	case "clock":
		h := at / hour % 24
		return h >= t.hours[0] && h < t.hours[1] && s.chance(t.rate)
	case "order":
		return j.seed%t.order == t.id%t.order && s.chance(t.rate)
	case "host":
		return j.host == t.host && s.chance(t.rate)
	case "masked":
		return j.attempt == 1 && s.chance(t.rate)
	case "branches":
		return j.kind == "work" && s.chance(t.rate)
	case "group":
		return j.luck[t.group] < t.rate
	case "stubborn luck", "stubborn machine", "stubborn night", "stubborn shared":
		return s.stubborn(t, j)
	}
	return s.chance(t.rate)
}

// words is what a test says when it fails by itself.
func (s *Suite) words(t *Test) string {
	if t.Kind == "timeout" {
		return fmt.Sprintf("timed out after %d ms waiting for #%s-%d", 3000+s.rng.IntN(4000), t.Name[:4], s.rng.IntN(90))
	}
	return t.message
}
