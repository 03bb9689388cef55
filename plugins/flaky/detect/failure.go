package detect

import (
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/filter"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// failed takes a failure, or a pass that the runner only reached by retrying.
// It says whether the run counts one more failing test.
func (e *Engine) failed(at int, x *testengine.Execution) bool {
	inside := x.Result == testengine.ResultPassed
	if inside && !x.RetriedInside() {
		e.passed(testengine.HashUint(e.variants.of(x), x.TestID), x.FileBits(), x)
		return false
	}
	key, rec := e.recordFor(x)
	r := e.run
	o := r.outcomeOf(key)
	first := o.failed == 0
	if first {
		e.firstFailure(o, rec, x)
	}
	o.failed++
	if o.failed == 2 {
		o.flags |= flagTwice
	}
	rec.failedOn(r.slot, e.now)
	names := e.namesOf(key)
	if names.test == 0 {
		names.introduce(x, e.variants.text(x))
		names.firstFailure = e.now
	}
	if first && !slices.Contains(names.branches, r.branch) {
		o.flags |= flagAnew
	}
	names.failure(e.block, at, r, o.full)
	if inside {
		o.flags |= flagInside
		e.flip(o, 0, 0)
		o.passed++
		e.markPassed(rec.dense)
	}
	e.putNames(key, names)
	e.putRecord(key, rec)
	if o.flags&flagMixed != 0 {
		e.suspectAtOnce(key, rec, o)
	}
	return first
}

// firstFailure takes the first failure of a test in its run.
func (e *Engine) firstFailure(o *outcome, rec *record, x *testengine.Execution) {
	o.host = e.host
	if len(x.Tags) > 0 {
		if own := hostOf(e.suite.settings, x.Tags); own != 0 {
			o.host = own
		}
	}
	signature := e.sign(x)
	o.signature, o.full = signature.Message, signature.Full
	o.flipFirst = e.now
	e.run.failing++
	switch {
	case o.passed > 0:
		e.flip(o, flagBackwards, 0)
	case e.passedBefore(rec.dense):
		flags := uint16(flagBackwards)
		if e.run.others {
			flags |= flagElsewhere
		}
		e.flip(o, flags, 0)
	}
}

// flip notes that the test passed and failed on this commit.
func (e *Engine) flip(o *outcome, flags uint16, after int64) {
	if o.flags&flagMixed != 0 {
		return
	}
	o.flags |= flagMixed | flags
	o.flipAfter = after
	if after > e.suite.settings.Retry.Quick {
		o.flags |= flagLate
	}
}

// passedAfterFailure takes a pass of a test that failed at some time.
func (e *Engine) passedAfterFailure(key uint64, rec *record) {
	r := e.run
	o := r.find(key)
	switch {
	case o != nil && o.failed > 0:
		o.passed++
		if o.flags&flagMixed != 0 {
			return
		}
		e.flip(o, 0, e.now-o.flipFirst)
		e.suspectAtOnce(key, rec, o)
	case r.slot != 0:
		ago, failed := rec.failureOn(r.slot, e.now)
		if failed && (o == nil || o.flags&flagMixed == 0) {
			o = r.outcomeOf(key)
			o.flipFirst = e.now - ago
			o.passed++
			e.flip(o, flagElsewhere, ago)
			e.suspectAtOnce(key, rec, o)
			return
		}
		fallthrough
	default:
		if (o == nil || o.flags&flagMixed == 0) && rec.passedCalmly(e.now) {
			e.putRecord(key, rec)
		}
		if r.follows {
			r.outcomeOf(key).passed++
		}
	}
}

// recordFor reads or makes the record of a test that fails.
func (e *Engine) recordFor(x *testengine.Execution) (key uint64, rec *record) {
	key = testengine.HashUint(e.variants.of(x), x.TestID)
	file := x.FileBits()
	if packed, ok := e.state.Cell(key); ok {
		c := unpackCell(packed)
		if file == 0 || c.file == 0 || file == c.file || !e.passedBefore(c.dense) {
			return key, recordOf(c, file)
		}
		e.shareCell(key, c)
	}
	value := e.state.Value(key)
	rec = &record{}
	if isRecord(value) {
		rec.read(value)
		if rec.shared || file == 0 || rec.file == 0 || file == rec.file || !e.ranOnCommit(rec) {
			return key, rec
		}
		e.shareRecord(key, rec)
		value = e.state.Value(key)
	}
	if len(value) == 0 {
		return key, e.newRecord(file)
	}
	key = sharedKey(key, file)
	if packed, ok := e.state.Cell(key); ok {
		rec = recordOf(unpackCell(packed), file)
		rec.shared = true
		return key, rec
	}
	if value = e.state.Value(key); value != nil {
		rec = &record{}
		rec.read(value)
		return key, rec
	}
	rec = e.newRecord(file)
	rec.shared = true
	return key, rec
}

func (e *Engine) newRecord(file uint16) *record {
	e.suite.nextDense++
	e.suite.dirty = true
	return recordOf(cell{dense: e.suite.nextDense, file: file}, file)
}

// recordOf begins the record of a test that passed so far: what the filter
// believes after that many passes.
func recordOf(c cell, file uint16) *record {
	if file == 0 {
		file = c.file
	}
	return &record{belief: filter.AfterPasses(int(c.passes)), dense: c.dense, file: file}
}

func (e *Engine) record(key uint64) *record {
	value := e.state.Value(key)
	if !isRecord(value) {
		return nil
	}
	rec := &record{}
	rec.read(value)
	return rec
}

func (e *Engine) putRecord(key uint64, rec *record) {
	e.writer.Bytes = e.writer.Bytes[:0]
	rec.append(&e.writer)
	e.state.SetValue(key, e.writer.Bytes)
	e.touch(key)
}
