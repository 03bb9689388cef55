package detect

import (
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/filter"
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

// Block takes the executions of one block.
func (e *Engine) Block(b *testengine.Block) {
	if len(b.Executions) == 0 {
		return
	}
	u := b.Upload
	e.block = b
	e.suite = e.suiteOf(u.Org, u.Suite)
	e.run = e.runOf(e.suite, u)
	e.openPasses(e.suite, e.run.slot)
	e.variants.open(e.suite.settings, u)
	e.run.addVariant(e.variants.hash)
	e.host = hostOf(e.suite.settings, u.Tags)
	var decisive, failures uint32
	for i := range b.Executions {
		if i%warmed == 0 {
			e.warm(b.Executions[i:min(i+warmed, len(b.Executions))])
		}
		x := &b.Executions[i]
		e.run.counts[x.Result]++
		if x.SuiteError || !x.Result.Decisive() {
			continue
		}
		decisive++
		if x.Result == testengine.ResultPassed && x.FailureReason == "" {
			e.passed(e.keys[i%warmed], x.FileBits(), x)
			continue
		}
		if e.failed(i, x) {
			failures++
		}
	}
	e.run.dirty = true
	e.countHost(e.suite, e.host, decisive, failures)
}

// warmed is how many executions' entries are fetched at once: their waits for
// memory overlap then.
const warmed = 40

// warm works out the keys of the next executions and brings their entries near.
func (e *Engine) warm(list []testengine.Execution) {
	for i := range list {
		e.keys[i] = testengine.HashUint(e.variants.of(&list[i]), list[i].TestID)
	}
	e.state.Warm(e.keys[:len(list)])
}

// hostOf names where an upload or execution ran, 0 when nobody says.
func hostOf(settings *Settings, tags []testengine.Tag) uint32 {
	for _, name := range settings.HostTags {
		for i := range tags {
			if tags[i].Key == name && tags[i].Value != "" {
				return uint32(testengine.Hash(1, tags[i].Value)) | 1
			}
		}
	}
	return 0
}

// commitSHA is the commit of an upload as key of the code, "" when it names none
// or says that the tree had changes.
func commitSHA(u *testengine.Upload) string {
	if strings.HasSuffix(u.CommitSHA, "dirty") {
		return ""
	}
	return u.CommitSHA
}

// passed is the hot path: a test that passed and, nearly always, never failed.
func (e *Engine) passed(key uint64, file uint16, x *testengine.Execution) {
	packed, ok := e.state.Cell(key)
	if !ok {
		e.passedSlowly(key, x)
		return
	}
	c := unpackCell(packed)
	if file != c.file && file != 0 {
		if c.file != 0 && e.passedBefore(c.dense) {
			e.shareCell(key, c)
			e.passedSlowly(key, x)
			return
		}
		c.file = file
		e.state.SetCell(key, c.pack())
	}
	before := e.markPassed(c.dense)
	if !before && e.run.follows && c.passes < filter.MaxPasses {
		c.passes++
		e.state.SetCell(key, c.pack())
	}
}

// passedSlowly takes a pass of a test that is new, failed before, or shares its
// identity with another.
func (e *Engine) passedSlowly(key uint64, x *testengine.Execution) {
	value := e.state.Value(key)
	if len(value) > 0 && value[0] == kindShared {
		key = sharedKey(key, x.FileBits())
		if packed, ok := e.state.Cell(key); ok {
			e.markPassed(unpackCell(packed).dense)
			return
		}
		value = e.state.Value(key)
	}
	if len(value) == 0 {
		e.addCell(key, x)
		return
	}
	var rec record
	rec.read(value)
	if file := x.FileBits(); file != rec.file && file != 0 && !rec.shared {
		if rec.file != 0 && e.ranOnCommit(&rec) {
			e.shareRecord(key, &rec)
			e.passedSlowly(key, x)
			return
		}
		rec.file = file
		e.putRecord(key, &rec)
	}
	e.markPassed(rec.dense)
	e.passedAfterFailure(key, &rec)
}

func (e *Engine) addCell(key uint64, x *testengine.Execution) {
	e.suite.nextDense++
	e.suite.dirty = true
	c := cell{dense: e.suite.nextDense, file: x.FileBits()}
	if e.run.follows {
		c.passes = 1
	}
	e.state.SetCell(key, c.pack())
	e.markPassed(c.dense)
}

// ranOnCommit says whether the test of the record already ran on this commit.
func (e *Engine) ranOnCommit(rec *record) bool {
	if e.passedBefore(rec.dense) {
		return true
	}
	_, failed := rec.failureOn(e.run.slot, e.now)
	return failed
}

func sharedKey(key uint64, file uint16) uint64 {
	return keyOf(key, kindShared, uint64(file))
}

// shareCell parts two tests that share suite, scope and name: from now on the
// file is part of their key.
func (e *Engine) shareCell(key uint64, c cell) {
	e.state.SetValue(key, []byte{kindShared})
	e.state.SetCell(sharedKey(key, c.file), c.pack())
}

func (e *Engine) shareRecord(key uint64, rec *record) {
	names := e.namesOf(key)
	e.state.Delete(namesKey(key))
	e.state.CancelTimer(key)
	e.state.SetValue(key, []byte{kindShared})
	key = sharedKey(key, rec.file)
	rec.shared = true
	e.putNames(key, names)
	e.putRecord(key, rec)
	e.arm(key, rec)
}
