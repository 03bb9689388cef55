package detect

import (
	"github.com/connect-testengine/connect-testengine/plugins/flaky/wire"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Event is what detection says: a verdict about a test, or what happened to a run.
type Event struct {
	Verdict *testengine.Verdict
	Run     *testengine.Run
}

// Signer names the cause of a failure.
type Signer func(x *testengine.Execution) testengine.Signature

// Engine detects in one lane. It is not safe for concurrent use.
type Engine struct {
	state    State
	defaults *Settings
	sign     Signer

	generation uint64
	suites     map[uint64]*suite
	suiteOrder []uint64
	runs       map[uint64]*run
	runOrder   []uint64
	passes     passes
	variants   variants
	touched    *touched // nil: the state was computed under these rules
	writer     wire.Writer
	tracer     *tracer
	events     []Event
	keys       [warmed]uint64

	// Of the block being read.
	suite *suite
	run   *run
	block *testengine.Block
	host  uint32
	now   int64
}

// New makes the engine of one lane.
func New(state State, settings Settings, sign Signer) *Engine {
	e := &Engine{state: state, defaults: &settings, sign: sign}
	e.drop()
	return e
}

// drop forgets everything that was derived from the state.
func (e *Engine) drop() {
	e.generation = e.state.Generation()
	e.suites, e.suiteOrder = make(map[uint64]*suite), nil
	e.runs, e.runOrder = make(map[uint64]*run), nil
	e.passes = passes{}
	e.suite, e.run = nil, nil
	e.events = nil
	e.touched = readTouched(e.state)
}

// Events returns what was said since the last call.
func (e *Engine) Events() []Event {
	events := e.events
	e.events = nil
	return events
}

func (e *Engine) emit(event Event) { e.events = append(e.events, event) }

// Advance fires the timers that are due at a time, in order of due time and id.
// It is called at the start of each record, before anything of the record.
func (e *Engine) Advance(now int64) {
	if e.state.Generation() != e.generation {
		e.drop()
	}
	e.now = now
	if e.touched != nil {
		e.touched.silent, e.touched.waits = false, nil
	}
	for {
		id, due, ok := e.state.Due(now)
		if !ok {
			return
		}
		e.fire(id, due)
	}
}

func (e *Engine) fire(id uint64, due int64) {
	e.state.CancelTimer(id)
	if s := e.suites[id]; s != nil {
		e.closeIncident(s, due)
		return
	}
	if r := e.runs[id]; r != nil {
		e.runDue(r, due)
		return
	}
	value := e.state.Value(id)
	if len(value) == 0 {
		return
	}
	switch value[0] {
	case kindSuite:
		if s := e.suiteByKey(id); s != nil {
			e.closeIncident(s, due)
		}
	case kindRun:
		if r := e.runByKey(id); r != nil {
			e.runDue(r, due)
		}
	case kindRecord, kindRecord2:
		e.recordDue(id, due)
	}
}

// Flush writes what is kept decoded back to the state; the end of a record.
func (e *Engine) Flush() {
	e.flushPasses()
	open := e.runOrder[:0]
	for _, key := range e.runOrder {
		r := e.runs[key]
		if r == nil {
			continue
		}
		e.writeRun(r)
		if r.closed {
			delete(e.runs, key)
			continue
		}
		open = append(open, key)
	}
	e.runOrder = open
	for _, key := range e.suiteOrder {
		s := e.suites[key]
		if s.dirty {
			e.writer.Bytes = e.writer.Bytes[:0]
			s.append(&e.writer)
			e.state.SetValue(key, e.writer.Bytes)
			s.dirty = false
		}
	}
}

func suiteKey(seed uint64) uint64 { return keyOf(seed, kindSuite, 0) }

func (e *Engine) suiteOf(org, name string) *suite {
	seed := testengine.SuiteSeed(org, name)
	key := suiteKey(seed)
	if s := e.suiteByKey(key); s != nil {
		return s
	}
	s := &suite{seed: seed, org: org, name: name, dirty: true}
	e.keepSuite(key, s)
	return s
}

func (e *Engine) suiteByKey(key uint64) *suite {
	if s := e.suites[key]; s != nil {
		return s
	}
	value := e.state.Value(key)
	if value == nil {
		return nil
	}
	s := &suite{}
	s.read(value)
	e.keepSuite(key, s)
	return s
}

func (e *Engine) keepSuite(key uint64, s *suite) {
	s.settings = e.defaults
	if body := e.state.Value(keyOf(s.seed, kindSettings, 0)); len(body) > 1 {
		if settings, err := e.defaults.Override(body[1:]); err == nil {
			s.settings = &settings
		}
	}
	e.suites[key] = s
	e.suiteOrder = append(e.suiteOrder, key)
}

// Change takes a suite's own settings; an error says what is wrong with them
// and nothing changes.
func (e *Engine) Change(change *testengine.Change) error {
	if change.Type != testengine.ChangeDetection {
		return nil
	}
	settings, err := e.defaults.Override([]byte(change.Body))
	if err != nil {
		return err
	}
	s := e.suiteOf(change.Org, change.Suite)
	s.settings = &settings
	e.state.SetValue(keyOf(s.seed, kindSettings, 0), append([]byte{kindSettings}, change.Body...))
	return nil
}
