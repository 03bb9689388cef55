package world

import (
	"fmt"
	"strconv"
)

const mainBranch = "main"

// request is a pull request on its way to main.
type request struct {
	number          int
	branch, message string
	// base is the newest commit of main that it contains.
	base   int
	pushes int
	// fault is what it breaks, nil for most.
	fault *Regression
	fate  fate
}

// fate says how a fault comes to light.
type fate int

const (
	// The zero value breaks nothing.
	_ fate = iota
	// caughtOnBranch: the runs of the branch show it, the last push repairs it.
	caughtOnBranch
	// caughtInQueue: it breaks together with main only; the merge queue turns it down.
	caughtInQueue
	// slipped: main shows it.
	slipped
)

// open begins a pull request and plans the next one.
func (s *suite) open(at int64) {
	w, d := s.world, s.dice
	gap := float64(Day) / float64(w.config.CommitsPerDay)
	w.schedule(at+1+int64(d.exponential(gap/rhythm(at))), s.open)

	s.requests++
	noun := pick(d, nouns)
	p := &request{
		number: s.requests, base: s.tip, pushes: 1 + d.int(3),
		message: fmt.Sprintf(pick(d, commitMessages), noun) + " (#" + strconv.Itoa(s.requests) + ")",
	}
	p.branch = pick(d, branchKinds) + "/" + noun + "-" + strconv.Itoa(p.number)
	s.decideFate(p)
	if w.config.Branches == 0 {
		s.land(p, at)
		return
	}
	life := max(20*Minute, int64(d.exponential(float64(w.config.Branches)*gap)))
	life = min(life, 5*Day)
	for push := range p.pushes {
		w.schedule(at+life*int64(push)/int64(p.pushes), func(at int64) { s.push(p, push, at) })
	}
	if s.queue {
		w.schedule(at+life-12*Minute, func(at int64) { s.enqueue(p, at) })
	}
	w.schedule(at+life, func(at int64) { s.land(p, at) })
}

func (s *suite) decideFate(p *request) {
	d := s.dice
	if !d.chance(s.world.config.RegressionShare) {
		return
	}
	p.fault = s.newRegression()
	switch {
	case s.world.config.Branches == 0:
		p.fate = slipped
	case d.chance(0.6):
		p.fate, p.pushes = caughtOnBranch, max(2, p.pushes)
	case s.queue && d.chance(0.5):
		p.fate = caughtInQueue
	default:
		p.fate = slipped
	}
}

// push runs the branch; half of the later pushes bring it up to date with main.
func (s *suite) push(p *request, push int, at int64) {
	if push > 0 && s.dice.chance(0.5) {
		p.base = s.tip
	}
	r := s.newRun(p.branch, s.sha(p.number, push), p.message, p.base)
	if p.fate == caughtOnBranch {
		if push < p.pushes-1 {
			r.own = p.fault
			s.seen(p.fault, p.branch, at)
		} else {
			p.fault.Until = at + s.world.offset
		}
	}
	s.start(r, at)
}

// enqueue runs the merge of the request with main before it is done.
func (s *suite) enqueue(p *request, at int64) {
	sha := s.sha(p.number, 100)
	r := s.newRun("gh-readonly-queue/main/pr-"+strconv.Itoa(p.number)+"-"+sha[:12], sha, p.message, s.tip)
	if p.fate == caughtInQueue || p.fate == slipped {
		if p.fate == caughtInQueue {
			r.own = p.fault
			s.seen(p.fault, r.branch, at)
			p.fault.Until = at + s.world.offset
		}
	}
	s.start(r, at)
}

// land puts the request on main, unless the queue turned it down.
func (s *suite) land(p *request, at int64) {
	if p.fate == caughtInQueue {
		return
	}
	s.tip++
	if p.fate == slipped {
		s.breakMain(p.fault, at)
	}
	s.repair(at)
	r := s.newRun(mainBranch, s.sha(0, s.tip), p.message, s.tip)
	s.start(r, at)
	if s.dice.chance(0.02) {
		again := s.newRun(mainBranch, r.sha, p.message, r.base)
		s.world.schedule(at+s.dice.between(2*Hour, 20*Hour), func(at int64) { s.start(again, at) })
	}
}

// nightly runs the newest commit of main once more.
func (s *suite) nightly(at int64) {
	s.world.schedule(at+Day, s.nightly)
	s.start(s.newRun(mainBranch, s.sha(0, s.tip), "Nightly build", s.tip), at)
}

// rhythm is how busy people are at that hour; its mean over a day is about 1.
func rhythm(at int64) float64 {
	if hour := at % Day / Hour; hour >= 7 && hour < 17 {
		return 1.9
	}
	return 0.35
}
