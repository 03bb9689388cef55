package detect

import (
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func runStateKey(seed uint64, runKey string) uint64 {
	return keyOf(seed, kindRun, testengine.Hash(0, runKey))
}

// runOf opens, continues or reopens the run of an upload.
func (e *Engine) runOf(s *suite, u *testengine.Upload) *run {
	key := runStateKey(s.seed, u.RunKey)
	r := e.runByKey(key)
	if r == nil {
		r = e.openRun(s, key, u)
	}
	if r.closed {
		r.closed, r.observed = false, false
		r.generation++
		for i := range s.open {
			if s.open[i].key == key {
				s.open[i].closed, s.dirty = false, true
			}
		}
		r.first = e.now
		e.sayRun(s, r, testengine.RunReopened, e.now)
	}
	if upload := testengine.Hash(0, u.ID); upload != r.upload {
		r.upload = upload
		r.uploads++
	}
	r.last = e.now
	e.state.SetTimer(key, min(r.last+s.settings.RunIdle, r.first+s.settings.RunCap))
	r.dirty = true
	return r
}

func (e *Engine) openRun(s *suite, key uint64, u *testengine.Upload) *run {
	r := &run{
		key: key, suite: s.seed, runKey: u.RunKey, branch: u.Branch, commit: u.CommitSHA, url: u.URL,
		number: u.Number, generation: 1, first: e.now, firstEver: e.now, last: e.now,
	}
	r.id = u.RunID
	if r.id == "" {
		r.id = testengine.RunID(s.seed, u.RunKey)
	}
	r.class = s.class(u)
	if r.class == classDefault {
		s.lastDefault, s.dirty = e.now, true
	}
	r.follows = r.class == classDefault || r.class == classQueue && s.queueCounts(e.now)
	if sha := commitSHA(u); sha != "" {
		c := e.commitOf(s, sha, r.class, key, e.now)
		r.slot, r.others = c.slot, c.runs
		if r.class < classOther {
			r.place = c.place[r.class]
		}
	} else if r.class < classOther {
		s.newest[r.class]++
		s.dirty = true
		r.place = s.newest[r.class]
	}
	if r.follows {
		s.wait(waitingRun{key: key, commit: r.place})
		// Of very many the oldest holds up the others no longer: it is observed when it closes.
		for len(s.open) > maxWaiting {
			s.open = s.open[1:]
			e.observeClosed(s, e.now)
		}
	}
	e.keepRun(r)
	e.sayRun(s, r, testengine.RunOpened, e.now)
	return r
}

// wait lines a run up behind those of older commits.
func (s *suite) wait(w waitingRun) {
	at := len(s.open)
	for at > 0 && s.open[at-1].commit > w.commit {
		at--
	}
	s.open = append(s.open, waitingRun{})
	copy(s.open[at+1:], s.open[at:])
	s.open[at] = w
	s.dirty = true
}

// runDue closes a run, or forgets it a day after it closed.
func (e *Engine) runDue(r *run, due int64) {
	s := e.suiteByKey(suiteKey(r.suite))
	if s == nil || r.closed {
		e.forgetRun(r)
		return
	}
	e.closeRun(s, r, due)
}

// closeRun weighs everything the run has shown, now that all of it is known.
func (e *Engine) closeRun(s *suite, r *run, at int64) {
	r.closed, r.closedAt, r.dirty = true, at, true
	e.state.SetTimer(r.key, at+s.settings.RunKeep)
	scene := e.survey(s, r, at)
	e.guard(s, r, scene, at)
	e.sayRun(s, r, testengine.RunClosed, at)
	for n := range scene.failed {
		e.weigh(s, r, scene, n, at)
	}
	e.remember(s, r, scene, at)
	if !r.follows {
		return
	}
	waits := false
	for i := range s.open {
		if s.open[i].key == r.key {
			s.open[i].closed, waits, s.dirty = true, true, true
		}
	}
	if !waits {
		e.observe(s, r, at)
	}
	e.observeClosed(s, at)
}

// observeClosed lets the line take the runs that wait for nobody any more.
func (e *Engine) observeClosed(s *suite, at int64) {
	for len(s.open) > 0 && s.open[0].closed {
		next := e.runByKey(s.open[0].key)
		s.open = s.open[1:]
		if next != nil {
			e.observe(s, next, at)
		}
	}
}
