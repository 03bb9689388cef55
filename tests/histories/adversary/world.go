// Package adversary makes uploads of suites whose truth is known, to score
// detection on: eight suites in their collectors' body shapes, flaky tests of
// fourteen mechanisms, true regressions, storms, and deliveries as they come in
// life. It shares no code and no parameter with the worlds of
// plugins/flaky/detect nor with ci_simulator.
//
// All times are unix milliseconds. A World is made by New and is read only.
package adversary

import (
	"math/rand/v2"
	"slices"
)

const (
	minute = int64(60_000)
	hour   = 60 * minute
	day    = 24 * hour
	begin  = int64(1_798_761_600_000) // any moment would do: nothing depends on the weekday
	days   = 28
	end    = begin + days*day
)

// World is what happened in four weeks.
type World struct {
	Suites []*Suite
	// Lines are the uploads in the order of their arrival.
	Lines []Line
}

// Line is one delivery.
type Line struct {
	ReceivedAt int64
	Suite      string
	Body       []byte
	Executions int
}

// Suite is one suite and its truth.
type Suite struct {
	Name   string
	Tests  []*Test
	Breaks []*Break
	Storms []*Storm

	shape    shape
	habits   habits
	rng      *rand.Rand
	hosts    []string
	commits  []commit // of the default branch
	lines    []Line
	results  map[sighting]*result
	runs     int
	branches int
	wet      []span // days of bursts
	sticky   bool   // a job that runs again stays on its host
}

// shape is how a suite is built and reported.
type shape struct {
	name     string
	body     string // the collector
	branch   string
	retry    string // failed, job, inside, extra, rebuild, none
	button   float64
	tests    int
	shards   int
	hosts    int
	variants []string
	perDay   float64 // commits of the default branch
	work     float64 // builds of branches for each of them
	queue    bool
}

// shapes are the eight suites of a world.
var shapes = []shape{
	{name: "billing", body: "rspec", branch: "main", retry: "failed", button: .1, tests: 190, shards: 3, hosts: 9, perDay: 14, work: 1.3},
	{name: "web", body: "jest", branch: "main", retry: "job", button: .1, tests: 120, shards: 2, hosts: 8, variants: []string{"linux", "windows"}, perDay: 9, work: 1.1},
	{name: "widgets", body: "vitest", branch: "master", retry: "inside", button: .2, tests: 220, shards: 1, hosts: 5, perDay: 16, work: 1.2},
	{name: "journeys", body: "playwright", branch: "main", retry: "extra", button: .3, tests: 90, shards: 4, hosts: 12, perDay: 12, work: 1.5},
	{name: "science", body: "pytest", branch: "main", retry: "none", button: 0, tests: 110, shards: 1, hosts: 6, variants: []string{"3.11", "3.12"}, perDay: 15, work: .6},
	{name: "kernel", body: "rust", branch: "trunk", retry: "rebuild", button: .5, tests: 170, shards: 1, hosts: 4, perDay: 13, work: 1},
	{name: "checkout", body: "mocha", branch: "main", retry: "failed", button: .1, tests: 160, shards: 2, hosts: 7, perDay: 11, work: 1, queue: true},
	{name: "legacy", body: "bare", branch: "develop", retry: "job", button: .2, tests: 130, shards: 2, hosts: 5, perDay: 10, work: 1.2},
}

// Options leave things out of a world, or let its suites differ more than they do.
// Stubborn adds tests that retries do not show to be flaky, and modules that break
// a few times while they are being worked on.
type Options struct{ NoFlakes, NoBreaks, NoStorms, Varied, Stubborn bool }

// New makes the world of a seed.
func New(seed uint64, options Options) *World {
	w := &World{}
	for i, sh := range shapes {
		s := &Suite{
			Name: sh.name, shape: sh, habits: usual, rng: rand.New(rand.NewPCG(seed, uint64(1000+i))), results: map[sighting]*result{},
		}
		if options.Varied {
			s.vary(rand.New(rand.NewPCG(seed, uint64(3000+i))))
		}
		for h := range s.shape.hosts {
			s.hosts = append(s.hosts, sh.name+"-agent-"+string(rune('a'+h)))
		}
		s.addTests()
		s.addCommits()
		if !options.NoFlakes {
			s.addFlakes()
		}
		if !options.NoBreaks {
			s.addBreaks()
		}
		if !options.NoStorms {
			s.addStorms()
		}
		if options.Stubborn {
			s.sticky = true
			if !options.NoFlakes {
				s.addStubborn()
			}
			if !options.NoBreaks {
				s.addChurn()
			}
		}
		s.play()
		s.settle()
		w.Suites = append(w.Suites, s)
		w.Lines = append(w.Lines, s.lines...)
	}
	slices.SortStableFunc(w.Lines, func(a, b Line) int { return int(a.ReceivedAt - b.ReceivedAt) })
	return w
}

// Executions is how many there are in the world.
func (w *World) Executions() (n int) {
	for i := range w.Lines {
		n += w.Lines[i].Executions
	}
	return n
}

type span struct{ from, to int64 }

func (s span) holds(at int64) bool { return at >= s.from && at < s.to }

// commit is one commit of the default branch.
type commit struct {
	at  int64
	sha string
}

func (s *Suite) chance(p float64) bool { return s.rng.Float64() < p }

// between draws a number from a range, evenly.
func (s *Suite) between(low, high float64) float64 { return low + (high-low)*s.rng.Float64() }

func (s *Suite) moment() int64 { return begin + int64(s.rng.Float64()*float64(end-begin)) }

func (s *Suite) addCommits() {
	for at := begin + hour; at < end; {
		s.commits = append(s.commits, commit{at: at, sha: s.sha()})
		step := s.rng.ExpFloat64() * float64(day) / s.shape.perDay * 1.1
		if h := at / hour % 24; h >= 19 || h < 7 { // few work at night
			step *= 3.5
		}
		at += int64(step) + minute
	}
}

const hexDigits = "0123456789abcdef"

func (s *Suite) sha() string {
	b := make([]byte, 40)
	for i := range b {
		b[i] = hexDigits[s.rng.IntN(16)]
	}
	return string(b)
}
