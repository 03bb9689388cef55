package detect

import (
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/wire"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// maxSiblings bounds the variants of a test that tell each other.
const maxSiblings = 16

// siblings are the variants of a test that failed, and what all were told.
type siblings struct {
	told float32
	keys []uint64
}

func (e *Engine) siblingsOf(c *inquiry) (key uint64, all siblings) {
	key = keyOf(c.suite.seed, kindSiblings, e.namesIn(c).test)
	b := wire.Reader{Bytes: e.state.Value(key)}
	if len(b.Bytes) > 0 {
		b.Byte()
		all.told = b.F32()
		for range b.Byte() {
			all.keys = append(all.keys, b.U64())
		}
	}
	return key, all
}

func (e *Engine) putSiblings(key uint64, all *siblings) {
	w := &e.writer
	w.Bytes = append(w.Bytes[:0], kindSiblings)
	w.F32(all.told)
	w.Byte(byte(len(all.keys)))
	for _, k := range all.keys {
		w.U64(k)
	}
	e.state.SetValue(key, w.Bytes)
}

// joinSiblings lets a variant that fails for the first time know what the others know.
func (e *Engine) joinSiblings(c *inquiry) {
	if e.namesIn(c).variant == "" || c.record.shared {
		return
	}
	key, all := e.siblingsOf(c)
	if slices.Contains(all.keys, c.key) || len(all.keys) == maxSiblings {
		return
	}
	all.keys = append(all.keys, c.key)
	c.record.gain(all.told)
	if e.tracer != nil {
		*e.tracer.of(c.key) = *e.tracer.of(key)
	}
	e.putSiblings(key, &all)
}

// tellSiblings lets the other variants of a test know of evidence: it is one
// test, and flakiness of one system alone is rare. What failed one variant on a
// commit that another passed is told, a break of one variant is not. Who has an
// episode of that time itself, begun at episodeAt, has seen it already.
func (e *Engine) tellSiblings(c *inquiry, episodeAt uint16, list ...fact) {
	if e.namesIn(c).variant == "" || c.record.shared {
		return
	}
	key, all := e.siblingsOf(c)
	for _, k := range all.keys {
		rec := e.record(k)
		if k == c.key || rec == nil {
			continue
		}
		if apart := int64(rec.pieceAt) - int64(episodeAt); episodeAt != 0 && rec.had() && max(apart, -apart) < episode/(10*minute) {
			continue
		}
		e.gainOf(k, rec, list)
		e.putRecord(k, rec)
	}
	all.told = min(max(all.told+worth(list), leastOdds), mostOdds)
	if e.tracer != nil {
		sums := e.tracer.of(key)
		for _, f := range list {
			sums[f.term] += f.times
		}
	}
	e.putSiblings(key, &all)
}

// siblingPassed says whether the test passed on this commit in another variant
// that the run has, and failed in none.
func (e *Engine) siblingPassed(c *inquiry) bool {
	if c.run == nil || c.run.slot == 0 || len(c.run.variants) < 2 {
		return false
	}
	n, passed := e.namesIn(c), false
	for _, variant := range c.run.variants {
		key := testengine.HashUint(variant, n.test)
		if key == c.key {
			continue
		}
		if o := c.run.peek(key); o != nil && o.failed > 0 {
			return false
		}
		dense := uint32(0)
		if packed, ok := e.state.Cell(key); ok {
			dense = unpackCell(packed).dense
		} else if rec := e.record(key); rec != nil {
			dense = rec.dense
		}
		passed = passed || dense != 0 && e.passedOn(c.suite, c.run.slot, dense)
	}
	return passed
}
