package detect

import (
	"github.com/connect-testengine/connect-testengine/plugins/flaky/wire"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// maxSiblings bounds the variants of a test that tell each other.
const maxSiblings = 16

// tellSiblings lets the other variants of a test know of an episode that
// settled: who is flaky on one system is likelier to be on another. Only a pass
// and a failure on one commit is told; a break of one variant is not.
func (e *Engine) tellSiblings(c *inquiry, odds float32) {
	n := e.namesIn(c)
	if n.variant == "" || odds <= 0 {
		return
	}
	key := keyOf(c.suite.seed, kindSiblings, n.test)
	b := wire.Reader{Bytes: e.state.Value(key)}
	var keys []uint64
	told := float32(0)
	if len(b.Bytes) > 0 {
		b.Byte()
		told = b.F32()
		for range b.Byte() {
			keys = append(keys, b.U64())
		}
	}
	if !contains(keys, c.key) {
		if len(keys) == maxSiblings {
			return
		}
		keys = append(keys, c.key)
		c.record.gain(told)
	}
	share := float32(odds * weights.sibling)
	for _, k := range keys {
		if rec := e.record(k); k != c.key && rec != nil {
			rec.gain(share)
			e.putRecord(k, rec)
		}
	}
	w := &e.writer
	w.Bytes = append(w.Bytes[:0], kindSiblings)
	w.F32(min(told+share, 4))
	w.Byte(byte(len(keys)))
	for _, k := range keys {
		w.U64(k)
	}
	e.state.SetValue(key, w.Bytes)
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
