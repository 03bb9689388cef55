package adversary

import "slices"

// Break is a true regression: tests that fail on a stretch of commits of the
// default branch and pass before and after.
type Break struct {
	Tests    []*Test
	From, To int // commits of the default branch, [From, To)
	Variant  int // -1: all
	// Kind tells how it came: short, long, reland, variant, disguised, rework, settled, churn.
	Kind string
	// Runs are the commits of the default branch whose build each test failed, and when it did.
	Runs map[*Test]map[int]int64

	message string
	mended  int64 // when it was mended without a commit, 0: never
}

// addBreaks adds regressions, usually fourteen.
func (s *Suite) addBreaks() {
	kinds := []string{"short", "short", "long", "long", "long", "reland", "reland", "variant", "variant", "disguised", "disguised", "rework", "settled", "settled"}
	for n := range s.habits.breaks {
		kind := kinds[n%len(kinds)]
		b := &Break{Kind: kind, Variant: -1, From: 3 + s.rng.IntN(len(s.commits)-40), Runs: map[*Test]map[int]int64{}}
		b.message = []string{"TypeError: cannot read properties of undefined", "500 Internal Server Error", "the schema has no column total"}[s.rng.IntN(3)]
		size, length := 1+s.rng.IntN(3), 1+s.rng.IntN(2)
		switch kind {
		case "long":
			length = 3 + s.rng.IntN(14)
		case "variant":
			length = 2 + s.rng.IntN(6)
			b.Variant = s.rng.IntN(max(1, len(s.shape.variants)))
		case "disguised":
			size, length = 1, 3+s.rng.IntN(7)
		case "rework":
			size, length = 8+s.rng.IntN(18), 1+s.rng.IntN(5)
		case "settled":
			length, b.mended = 1, s.commits[b.From].at+int64(s.between(4, 45)*float64(minute))
		}
		b.To = b.From + max(1, int(float64(length)*s.habits.length))
		first := s.rng.IntN(len(s.Tests))
		for i := range size {
			b.Tests = append(b.Tests, s.Tests[(first+i)%len(s.Tests)])
		}
		if kind == "disguised" {
			b.Tests = []*Test{s.anyFlaky()}
		}
		s.Breaks = append(s.Breaks, b)
		for kind == "reland" && s.chance(.6) {
			again := *b
			again.From = b.To + 1 + s.rng.IntN(9)
			again.To = again.From + 1 + s.rng.IntN(3)
			again.Runs = map[*Test]map[int]int64{}
			s.Breaks = append(s.Breaks, &again)
			b = &again
		}
	}
}

func (s *Suite) anyFlaky() *Test {
	for range 400 {
		if t := s.Tests[s.rng.IntN(len(s.Tests))]; t.Kind != "" {
			return t
		}
	}
	return s.Tests[s.rng.IntN(len(s.Tests))]
}

// broken says which regression fails a test in a job, nil for none.
func (s *Suite) broken(t *Test, j *job) *Break {
	for _, b := range s.Breaks {
		if j.base < b.From || j.base >= b.To || b.Variant >= 0 && b.Variant != j.variant {
			continue
		}
		if b.mended != 0 && j.start >= b.mended {
			continue // what broke it lay outside of the code, and is mended
		}
		if slices.Contains(b.Tests, t) {
			return b
		}
	}
	return nil
}

func (b *Break) words(s *Suite, t *Test) string {
	if b.Kind == "disguised" {
		return s.words(t)
	}
	return b.message
}
