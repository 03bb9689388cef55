package adversary

import "fmt"

// Storm is a time during which the infrastructure fails tests.
type Storm struct {
	Kind string
	span
	host    string
	tests   map[*Test]bool // nil: all
	share   float64        // of what it can hit, each time
	retried bool           // hits only what runs again
	network bool
	words   int // 0 one message, 1 names the test, 2 as the test itself fails, 3 changes
	outlive float64
}

// addStorms adds storms, usually nineteen.
func (s *Suite) addStorms() {
	kinds := []string{
		"host", "host", "host", "pair", "pair", "pair", "retry", "retry", "certificate", "certificate", "outage", "outage", "outage",
		"network", "network", "disguise", "disguise", "disguise", "big",
	}
	for n := range s.habits.storms {
		kind := kinds[n*s.stride()%len(kinds)]
		from := s.moment()
		st := &Storm{Kind: kind, share: 1, outlive: s.rng.Float64() * .6, words: s.rng.IntN(2)}
		length := 0.0 // minutes
		switch kind {
		case "host":
			length, st.host, st.share, st.words = s.between(50, 400), s.hosts[s.rng.IntN(len(s.hosts))], s.between(.03, .3), 1
		case "pair":
			length, st.share, st.tests, st.words = s.between(4, 70), .9, s.some(2), s.rng.IntN(3)
		case "retry":
			length, st.share, st.retried = s.between(10, 60), s.between(.2, 1), true
		case "certificate":
			length, st.tests, st.outlive = s.between(100, 800), s.some(1+s.rng.IntN(10)), 1
		case "outage":
			length, st.share, st.words = s.between(15, 130), s.between(.03, .35), s.rng.IntN(4)
		case "network":
			length, st.share, st.network, st.outlive, st.words = s.between(30, 200), s.between(.1, .4), true, 1, 3
		case "disguise":
			length, st.share, st.tests, st.words = s.between(8, 70), .8, s.some(3+s.rng.IntN(10)), 2
		case "big":
			length, st.share, st.words = s.between(5, 35), s.between(.5, .95), s.rng.IntN(4)
		}
		st.span = span{from, from + int64(length*s.habits.length*float64(minute))}
		s.Storms = append(s.Storms, st)
	}
}

// stride takes the kinds of storms in order where there are as many as usual,
// and mixed where there are fewer or more.
func (s *Suite) stride() int {
	if s.habits.storms == usual.storms {
		return 1
	}
	return 7
}

func (s *Suite) some(n int) map[*Test]bool {
	tests := map[*Test]bool{}
	for len(tests) < n {
		tests[s.Tests[s.rng.IntN(len(s.Tests))]] = true
	}
	return tests
}

// struck says which storm fails a test now, nil for none.
func (s *Suite) struck(t *Test, j *job, at int64) *Storm {
	for _, st := range s.Storms {
		switch {
		case !st.holds(at), st.host != "" && st.host != j.host, st.tests != nil && !st.tests[t], st.network && !t.network:
		case st.retried && j.attempt == 1, !s.chance(st.share):
		case j.attempt > 1 && !st.retried && !s.chance(st.outlive):
		default:
			return st
		}
	}
	return nil
}

func (st *Storm) message(s *Suite, t *Test) string {
	switch st.words {
	case 0:
		return "getaddrinfo EAI_AGAIN registry.internal"
	case 1:
		return fmt.Sprintf("%s: exceeded the limit of %d ms", t.Name, 5000+s.rng.IntN(60))
	case 2:
		return t.message
	}
	return []string{
		"read ECONNRESET", "socket hang up", fmt.Sprintf("upstream of %s gave 503", t.Name), "TLS handshake timeout",
		fmt.Sprintf("Expected: 200 Received: %d", 500+s.rng.IntN(5)),
	}[s.rng.IntN(5)]
}
