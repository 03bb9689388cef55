package detect

import (
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// monitor is one detector. It looks at a test when a run closes (weigh, for
// what failed in the run) and when the line takes the run's observations, in
// the order of commits (observe). It changes the record and may speak.
type monitor struct {
	id       string
	version  int
	settings func(*Settings) Monitor
	weigh    func(e *Engine, c *inquiry)
	observe  func(e *Engine, c *inquiry)
}

// monitors are all detectors, in the order they look. A new one is a file of
// its own and a row here.
var monitors []monitor

func init() {
	monitors = []monitor{
		{
			id: ruleRetry, version: 3, weigh: weighRetry,
			settings: func(s *Settings) Monitor { return s.Retry.Monitor },
		},
		{
			id: ruleFilter, version: 3, observe: observeFilter,
			settings: func(s *Settings) Monitor { return s.Filter.Monitor },
		},
		{
			id: ruleTransitions, version: 1, observe: observeTransitions,
			settings: func(s *Settings) Monitor { return s.Transition.Monitor },
		},
		{
			id: ruleBroken, version: 1, observe: observeBroken,
			settings: func(s *Settings) Monitor { return s.Broken.Monitor },
		},
		{
			id: ruleHealing, version: 1, observe: observeHealing,
			settings: func(*Settings) Monitor { return Monitor{} },
		},
	}
}

// The rules' names in verdicts.
const (
	ruleRetry       = "passed_on_retry"
	ruleFilter      = "three_state_filter"
	ruleTransitions = "transition_count"
	ruleBroken      = "broken_test"
	ruleHealing     = "healing"
)

// inquiry is one test in one run, as the monitors see it.
type inquiry struct {
	suite  *suite
	run    *run
	out    *outcome
	key    uint64
	record *record
	names  *names // read when needed
	at     int64
	scene  *scene
	// Other tests of the run that nobody expected to fail.
	flips, fails float64
	// late says that the line has seen newer commits: nothing moves.
	late bool
	// same says that the line has seen this very commit before.
	same     bool
	deciding string // the monitor whose evidence came last
	proved   bool   // a new signature was proven
	quiet    int64  // how long the test had not failed before this run
}

func (e *Engine) namesIn(c *inquiry) *names {
	if c.names == nil {
		c.names = e.namesOf(c.key)
	}
	return c.names
}

// weigh lets the monitors look at a test that failed in a run that closes.
func (e *Engine) weigh(s *suite, r *run, sc *scene, n int, at int64) {
	o := &r.outcomes[sc.failed[n]]
	c := &inquiry{
		suite: s, run: r, out: o, key: o.key, at: at, scene: sc,
		flips: sc.flips, fails: sc.fails,
	}
	if c.record = e.record(o.key); c.record == nil {
		return
	}
	c.discount(n)
	if c.record.failures == 0 {
		e.joinSiblings(c)
	}
	if o.flags&flagFlipped == 0 && o.failed > 0 && o.scored == 0 {
		c.quiet = o.flipFirst - int64(c.record.lastFailure)*1000
		c.record.failedAt(o.flipFirst, s.settings)
	}
	for i := range monitors {
		if m := &monitors[i]; m.weigh != nil && !m.settings(s.settings).Disabled {
			m.weigh(e, c)
		}
	}
	if o.scored == 0 && !r.follows && o.flags&(flagMixed|flagGuarded|flagAnew) == flagAnew {
		e.weighBranch(c)
	}
	o.scored++
	r.touch(sc.failed[n])
	e.judge(c)
	e.finish(c)
}

// observe lets the monitors look at every test of a run on the line that
// failed at least once in its life.
func (e *Engine) observe(s *suite, r *run, at int64) {
	if r.observed {
		return
	}
	r.observed, r.dirty = true, true
	sc := e.survey(s, r, at)
	for i := range r.outcomes {
		o := &r.outcomes[i]
		if o.flags&flagObserved != 0 && (o.passed > 0 || o.flags&flagMixed != 0 || o.failed <= o.seen) {
			continue
		}
		again := o.flags&flagObserved != 0
		o.flags |= flagObserved
		o.seen = o.failed
		r.touch(i)
		rec := e.record(o.key)
		if rec == nil {
			continue
		}
		c := &inquiry{
			suite: s, run: r, out: o, key: o.key, record: rec, at: at, scene: sc, flips: sc.flips, fails: sc.fails,
			late: r.place < rec.newest, same: r.place == rec.newest,
		}
		c.discount(slices.Index(sc.failed, i))
		if again {
			if c.same && !s.settings.Filter.Disabled {
				rec.belief.FailedAgain()
				rec.broke = true
				e.finish(c)
			}
			continue
		}
		if !c.late {
			for k := range monitors {
				if m := &monitors[k]; m.observe != nil && !m.settings(s.settings).Disabled {
					m.observe(e, c)
				}
			}
			rec.newest = r.place
		} else if !s.settings.Broken.Disabled {
			observeLate(e, c)
		}
		e.judge(c)
		e.finish(c)
	}
}

// discount takes the test itself out of the others.
func (c *inquiry) discount(n int) {
	switch {
	case n < 0:
	case c.out.flags&flagMixed != 0:
		c.flips = max(c.flips-c.scene.weights[n], 0)
	default:
		c.fails = max(c.fails-c.scene.weights[n], 0)
	}
}

// finish stores what an inquiry changed.
func (e *Engine) finish(c *inquiry) {
	if c.names != nil {
		e.putNames(c.key, c.names)
	}
	e.putRecord(c.key, c.record)
	e.arm(c.key, c.record)
}

// judge says what follows from a test's evidence, once. While the line fails
// nobody can tell a flaky test from a broken one: the verdict waits for a pass.
func (e *Engine) judge(c *inquiry) {
	rec, rules := c.record, &c.suite.settings.Filter
	p := rec.probability()
	if e.tracer != nil && c.deciding != "" {
		e.tracer.judged(c, e.namesIn(c))
	}
	switch {
	case rec.says != saysDetected && p >= rules.Alarm && c.deciding != "" && rec.streak == 0 && !rec.broken:
		e.sayDetected(c)
	case rec.says == saysNothing && c.deciding != "" && (p >= rules.Suspect || c.deciding == ruleRetry && c.out != nil):
		e.begin(rec, c.at)
		rec.says = saysSuspected
		e.say(c, testengine.FlakySuspected, c.deciding, "")
	case rec.says == saysSuspected && p <= rules.Recover && c.deciding == "":
		rec.says = saysNothing
	case rec.says == saysDetected && c.proved:
		e.say(c, testengine.FlakyUpdated, ruleRetry, "another failure passed on the same commit")
	}
}

// begin starts a new episode of flakiness.
func (*Engine) begin(rec *record, at int64) {
	rec.suspectedAt = tenMinutes(at)
	if rec.flakyEpisode < mostEpisodes {
		rec.flakyEpisode++
	}
}

func (e *Engine) sayDetected(c *inquiry) {
	rec := c.record
	if rec.says == saysNothing {
		e.begin(rec, c.at)
	}
	rec.says = saysDetected
	rec.clean, rec.cleanAtHour = 0, 0
	if c.out != nil && c.out.full != 0 {
		e.namesIn(c).prove(c.out.full)
	}
	e.say(c, testengine.FlakyDetected, c.deciding, "")
}
