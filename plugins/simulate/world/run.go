package world

import (
	"fmt"
	"strings"
)

// run is one build of a suite.
type run struct {
	seed                 uint64
	number               int
	key                  string
	branch, sha, message string
	base                 int
	own                  *Regression
}

// job is one upload's worth of a run: what one agent did.
type job struct {
	*run
	suite   *suite
	host    *host
	number  int
	attempt int
	at      int64
	dice    *dice
}

// cause is why a test failed.
type cause uint8

const (
	passed cause = iota
	byFlake
	byRegression
	byStorm
	notRun
	causes
)

// outcome is one execution before it is written down.
type outcome struct {
	test     int32
	cause    cause
	reason   string
	duration float64
}

func (s *suite) newRun(branch, sha, message string, base int) *run {
	s.builds++
	seed := mix(s.world.config.Seed, s.index, 5, uint64(s.builds))
	return &run{
		seed: seed, number: s.builds, key: string(appendUUID(nil, newDice(seed, 1))),
		branch: branch, sha: sha, message: message, base: base,
	}
}

// start plans the uploads of the run's jobs: most within two minutes of each other, a few late.
func (s *suite) start(r *run, at int64) {
	d := newDice(r.seed, 2)
	took := d.between(2*Minute, 6*Minute)
	for number := range s.jobs {
		arrival := at + took + d.between(0, 80*Second)
		if d.chance(0.01) {
			arrival += d.between(4*Minute, 12*Minute)
		}
		s.world.schedule(arrival, func(at int64) { s.finish(r, number, 0, nil, at) })
	}
}

// finish decides what the job's tests did and writes its upload. only holds the tests of a retry.
func (s *suite) finish(r *run, number, attempt int, only []int32, at int64) {
	w := s.world
	d := newDice(r.seed, 3, uint64(number), uint64(attempt))
	place := d.int(len(w.hosts))
	j := &job{run: r, suite: s, host: &w.hosts[place], number: number, attempt: attempt, at: at, dice: d}
	failed := s.decide(j, place, only)
	if len(w.outcomes) == 0 {
		return
	}
	if len(failed) > 0 && attempt < w.config.Retries && !s.shape.retriesInside {
		w.schedule(at+d.between(30*Second, 100*Second), func(at int64) { s.finish(r, number, attempt+1, failed, at) })
	}
	duplicate := d.chance(w.config.DuplicateShare)
	if w.silent {
		return
	}
	upload := Upload{At: at, Suite: s.name, Executions: len(w.outcomes), Body: j.body(w.outcomes)}
	w.ready, w.isReady = upload, true
	if duplicate {
		w.schedule(at+d.between(Second, 20*Second), func(at int64) {
			again := upload
			again.At = at
			w.ready, w.isReady = again, true
		})
	}
}

// decide fills the world's outcomes and returns the tests that failed in the end.
func (s *suite) decide(j *job, place int, only []int32) (failed []int32) {
	w := s.world
	w.touching = w.stormsAt(int(s.index), place, j.at, w.touching[:0])
	s.markBroken(j.run, j.host.arch)
	w.outcomes = w.outcomes[:0]
	list, turn := only, 0
	if only == nil {
		list = s.jobs[j.number]
		turn = int(mix(j.seed, 6) % uint64(max(1, len(list))))
	}
	attempts := 1
	if s.shape.retriesInside {
		attempts += w.config.Retries
	}
	for i := range list {
		test := list[(i+turn)%len(list)]
		t := &s.tests[test]
		if t.born > j.at {
			continue
		}
		for attempt := range attempts {
			o := s.outcome(j, place, test, t, j.attempt+attempt)
			w.outcomes = append(w.outcomes, o)
			if o.cause == passed || o.cause == notRun {
				break
			}
			if attempt == attempts-1 {
				failed = append(failed, test)
			}
		}
	}
	return failed
}

func (s *suite) outcome(j *job, place int, test int32, t *test, attempt int) outcome {
	d := j.dice
	if t.skipped {
		return outcome{test: test, cause: notRun}
	}
	o := outcome{test: test, duration: t.duration * j.host.slow * (0.7 + d.exponential(0.3))}
	if len(s.broken) > 0 {
		if b := s.broken[test]; b != nil {
			o.cause, o.reason = byRegression, b.Reason
			b.Failures++
		}
	}
	if o.cause == passed && t.flake != nil && t.flake.fails(j.run, place, attempt, j.at, d) {
		o.cause, o.reason = byFlake, reason(pick(d, t.flake.reasons), t, d)
	}
	for _, storm := range s.world.touching {
		if o.cause == passed && storm.hits(test, attempt, d) {
			o.cause, o.reason = byStorm, reason(storm.Reason, t, d)
			storm.Failures++
		}
	}
	t.executions++
	t.failures[o.cause]++
	return o
}

// reason fills in what differs from failure to failure.
func reason(template string, t *test, d *dice) string {
	switch {
	case strings.Contains(template, "%d"):
		return fmt.Sprintf(template, 1000+d.int(60000))
	case strings.Contains(template, "%s"):
		return fmt.Sprintf(template, t.name)
	}
	return template
}
