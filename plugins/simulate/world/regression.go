package world

// Regression is a change that broke tests for good, until it was repaired.
type Regression struct {
	Suite string `json:"suite"`
	// Tests are the identities of the broken tests, 16 hexadecimal digits each.
	Tests []string `json:"tests"`
	// Branch is main, or the branch that it never left.
	Branch string `json:"branch"`
	// Arch is set when only hosts of that architecture show it.
	Arch   string `json:"arch,omitempty"`
	Reason string `json:"reason"`
	// From and Until are real unix milliseconds; Until is 0 while it lasts.
	From     int64 `json:"from"`
	Until    int64 `json:"until,omitempty"`
	Failures int   `json:"failures"`

	tests []int32
	// first and last bound the commits of main that have it; first is -1 for one that stays on its branch.
	first, last int
}

// newRegression invents one that breaks one to five neighbouring tests.
func (s *suite) newRegression() *Regression {
	d := s.dice
	b := &Regression{Suite: s.name, Reason: pick(d, breakReasons), first: -1}
	if d.chance(0.15) {
		b.Arch = pick(d, hostTypes).arch
	}
	begin, count := d.int(len(s.tests)), 1+d.int(5)
	for i := begin; i < min(begin+count, len(s.tests)); i++ {
		b.tests = append(b.tests, int32(i))
		b.Tests = append(b.Tests, formatTest(&s.tests[i]))
	}
	return b
}

// seen enters it in the truth when a run can meet it for the first time.
func (s *suite) seen(b *Regression, branch string, at int64) {
	if b.From != 0 {
		return
	}
	b.Branch, b.From = branch, at+s.world.offset
	s.world.truthBreaks = appendBounded(s.world.truthBreaks, b)
}

// breakMain puts it on main with the commit that is about to land, and decides
// how many commits it takes until somebody has repaired it.
func (s *suite) breakMain(b *Regression, at int64) {
	b.first = s.tip
	b.last = s.tip + int(s.dice.exponential(4))
	s.breaks = append(s.breaks, b)
	s.seen(b, mainBranch, at)
}

// repair ends what the commit that landed has repaired, and forgets what no run can meet any more.
func (s *suite) repair(at int64) {
	kept := s.breaks[:0]
	for _, b := range s.breaks {
		if b.Until == 0 && s.tip > b.last {
			b.Until = at + s.world.offset
		}
		if s.tip-b.last < 200 {
			kept = append(kept, b)
		}
	}
	clear(s.breaks[len(kept):])
	s.breaks = kept
}

// markBroken fills the scratch of what is broken in a run on that kind of host.
func (s *suite) markBroken(r *run, arch string) {
	clear(s.broken)
	mark := func(b *Regression) {
		if b.Arch != "" && b.Arch != arch {
			return
		}
		for _, test := range b.tests {
			s.broken[test] = b
		}
	}
	for _, b := range s.breaks {
		if r.base >= b.first && r.base <= b.last {
			mark(b)
		}
	}
	if r.own != nil {
		mark(r.own)
	}
}
