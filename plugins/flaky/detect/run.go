package detect

import (
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/wire"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// run is all uploads with one run key, kept until a day after it closed.
type run struct {
	key        uint64 // of its value and its timer
	suite      uint64 // the suite's seed
	id         string
	runKey     string
	branch     string
	commit     string
	url        string
	number     string
	class      int
	follows    bool   // the filter follows this run's line
	place      uint32 // the commit's place on the line
	slot       uint32 // the commit's slot, 0 without a commit
	generation int
	closed     bool
	observed   bool // the line has taken this generation's observations
	others     bool // other runs saw the commit before this one opened
	failing    int  // tests that failed
	opened     int64
	first      int64 // first upload of this generation
	firstEver  int64
	last       int64
	closedAt   int64
	counts     [5]uint32 // executions by result
	uploads    uint32
	upload     uint64   // the last upload counted
	variants   []uint64 // of its uploads
	storm      string
	pages      int // stored pages of outcomes

	outcomes []outcome
	index    map[uint64]int32
	dirty    bool
	changed  []bool // pages of outcomes to write
}

// outcome is what happened to one test in one run: every test that failed in
// it, and those that failed before and are followed on the line.
type outcome struct {
	key       uint64
	signature uint64 // of the message, across tests
	full      uint64
	host      uint32
	failed    uint16
	passed    uint16
	flags     uint16
	flipFirst int64  // time of the failure, or of the first result
	flipAfter int64  // milliseconds from the failure to the pass, or back
	crowd     uint8  // what failed near its mixed result when that was counted
	scored    uint8  // generations that have counted it
	seen      uint16 // failures that the filter has seen
}

const (
	flagMixed     = 1 << iota // passed and failed on this commit
	flagElsewhere             // the other result came from another run
	flagBackwards             // passed first, failed later
	flagGuarded               // part of a storm
	flagObserved              // the filter has seen it
	flagFlipped               // the mixed result was counted
	flagLate                  // the retry came late
	flagInside                // the runner retried by itself
	flagSaid                  // flaky.suspected was said at once
	flagSighted               // noted among the recent failures
	flagAnew                  // the test was not known to fail on this branch
	flagTwice                 // a retry failed as well
)

const outcomesPerPage = 256

// outcomeOf finds or adds the outcome of a test.
func (r *run) outcomeOf(key uint64) *outcome {
	at, ok := r.index[key]
	if !ok {
		at = int32(len(r.outcomes))
		if r.index == nil {
			r.index = make(map[uint64]int32)
		}
		r.index[key] = at
		r.outcomes = append(r.outcomes, outcome{key: key})
	}
	r.touch(int(at))
	return &r.outcomes[at]
}

func (r *run) find(key uint64) *outcome {
	if at, ok := r.index[key]; ok {
		r.touch(int(at))
		return &r.outcomes[at]
	}
	return nil
}

// peek finds the outcome of a test that is not going to change.
func (r *run) peek(key uint64) *outcome {
	if at, ok := r.index[key]; ok {
		return &r.outcomes[at]
	}
	return nil
}

// addVariant notes that the run has a variant.
func (r *run) addVariant(variant uint64) {
	if len(r.variants) < maxSiblings && !slices.Contains(r.variants, variant) {
		r.variants = append(r.variants, variant)
	}
}

func (r *run) touch(at int) {
	at /= outcomesPerPage
	for at >= len(r.changed) {
		r.changed = append(r.changed, false)
	}
	r.changed[at] = true
	r.dirty = true
}

func (r *run) append(w *wire.Writer) {
	w.Byte(kindRun)
	w.U64(r.suite)
	w.Text(r.id)
	w.Text(r.runKey)
	w.Text(r.branch)
	w.Text(r.commit)
	w.Text(r.url)
	w.Text(r.number)
	w.Byte(byte(r.class))
	w.Byte(byte(flag(r.follows) | flag(r.closed)<<1 | flag(r.observed)<<2 | flag(r.others)<<3))
	w.U32(r.place)
	w.U32(r.slot)
	w.Int(int64(r.generation))
	w.Int(r.opened)
	w.Int(r.first)
	w.Int(r.firstEver)
	w.Int(r.last)
	w.Int(r.closedAt)
	for _, n := range r.counts {
		w.U32(n)
	}
	w.U32(r.uploads)
	w.U64(r.upload)
	w.Text(r.storm)
	w.Int(int64(r.failing))
	w.Byte(byte(len(r.variants)))
	for _, v := range r.variants {
		w.U64(v)
	}
	w.Int(int64((len(r.outcomes) + outcomesPerPage - 1) / outcomesPerPage))
}

func (r *run) read(value []byte) {
	b := wire.Reader{Bytes: value}
	b.Byte()
	r.suite = b.U64()
	r.id, r.runKey, r.branch, r.commit, r.url, r.number = b.Text(), b.Text(), b.Text(), b.Text(), b.Text(), b.Text()
	r.class = int(b.Byte())
	flags := b.Byte()
	r.follows, r.closed, r.observed, r.others = flags&1 != 0, flags&2 != 0, flags&4 != 0, flags&8 != 0
	r.place, r.slot, r.generation = b.U32(), b.U32(), int(b.Int())
	r.opened, r.first, r.firstEver, r.last, r.closedAt = b.Int(), b.Int(), b.Int(), b.Int(), b.Int()
	for i := range r.counts {
		r.counts[i] = b.U32()
	}
	r.uploads, r.upload, r.storm = b.U32(), b.U64(), b.Text()
	r.failing = int(b.Int())
	for range b.Byte() {
		r.variants = append(r.variants, b.U64())
	}
	r.pages = int(b.Int())
}

func (o *outcome) append(w *wire.Writer) {
	w.U64(o.key)
	w.U64(o.signature)
	w.U64(o.full)
	w.U32(o.host)
	w.U16(o.failed)
	w.U16(o.passed)
	w.U16(o.flags)
	w.Int(o.flipFirst)
	w.Int(o.flipAfter)
	w.Byte(o.crowd)
	w.Byte(o.scored)
	w.U16(o.seen)
}

func (o *outcome) read(b *wire.Reader) {
	o.key, o.signature, o.full, o.host = b.U64(), b.U64(), b.U64(), b.U32()
	o.failed, o.passed, o.flags = b.U16(), b.U16(), b.U16()
	o.flipFirst, o.flipAfter = b.Int(), b.Int()
	o.crowd, o.scored = b.Byte(), b.Byte()
	o.seen = b.U16()
}

// runByKey reads a run from the state, nil when it is not there.
func (e *Engine) runByKey(key uint64) *run {
	if r := e.runs[key]; r != nil {
		return r
	}
	value := e.state.Value(key)
	if value == nil || value[0] != kindRun {
		return nil
	}
	r := &run{key: key}
	r.read(value)
	r.index = make(map[uint64]int32)
	for page := range r.pages {
		b := wire.Reader{Bytes: e.state.Value(outcomesKey(key, page))}
		b.Byte()
		for range b.U16() {
			var o outcome
			o.read(&b)
			r.index[o.key] = int32(len(r.outcomes))
			r.outcomes = append(r.outcomes, o)
		}
	}
	e.keepRun(r)
	return r
}

func (e *Engine) keepRun(r *run) {
	e.runs[r.key] = r
	e.runOrder = append(e.runOrder, r.key)
}

func outcomesKey(run uint64, page int) uint64 {
	return keyOf(run, kindOutcomes, uint64(page))
}

// writeRun stores what changed of a run.
func (e *Engine) writeRun(r *run) {
	if !r.dirty {
		return
	}
	e.writer.Bytes = e.writer.Bytes[:0]
	r.append(&e.writer)
	e.state.SetValue(r.key, e.writer.Bytes)
	for page, changed := range r.changed {
		if !changed {
			continue
		}
		some := r.outcomes[page*outcomesPerPage : min(len(r.outcomes), (page+1)*outcomesPerPage)]
		e.writer.Bytes = append(e.writer.Bytes[:0], kindOutcomes)
		e.writer.U16(uint16(len(some)))
		for i := range some {
			some[i].append(&e.writer)
		}
		e.state.SetValue(outcomesKey(r.key, page), e.writer.Bytes)
		r.changed[page] = false
	}
	r.pages = (len(r.outcomes) + outcomesPerPage - 1) / outcomesPerPage
	r.dirty = false
}

// forgetRun removes a run whose summary was kept long enough.
func (e *Engine) forgetRun(r *run) {
	for page := range (len(r.outcomes) + outcomesPerPage - 1) / outcomesPerPage {
		e.state.Delete(outcomesKey(r.key, page))
	}
	e.state.Delete(r.key)
	e.state.CancelTimer(r.key)
	delete(e.runs, r.key)
}

// sayRun announces what happened to a run.
func (e *Engine) sayRun(s *suite, r *run, event testengine.RunEvent, at int64) {
	id := testengine.HashUint(testengine.Hash(testengine.Hash(s.seed, r.id), string(event)), uint64(r.generation))
	said := &testengine.Run{
		ID: testengine.FormatID(id), RunID: r.id, Event: event, Org: s.org, Suite: s.name, RunKey: r.runKey,
		Branch: r.branch, CommitSHA: r.commit, URL: r.url, Number: r.number, Generation: r.generation,
		Time: at, FirstUploadAt: r.firstEver, LastUploadAt: r.last, Uploads: int(r.uploads),
		Passed: int(r.counts[testengine.ResultPassed]), Failed: int(r.counts[testengine.ResultFailed]),
		Skipped: int(r.counts[testengine.ResultSkipped] + r.counts[testengine.ResultPending]),
		Unknown: int(r.counts[testengine.ResultUnknown]), Storm: r.storm,
	}
	for _, n := range r.counts {
		said.Executions += int(n)
	}
	e.emit(Event{Run: said})
}
