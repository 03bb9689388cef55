package detect

import (
	"math"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/wire"
)

// maxSiblings bounds the variants of a test that tell each other.
const maxSiblings = 16

// tellSiblings lets the other variants of a test know of a piece of its own
// evidence: who is flaky on one system is likelier to be on another. Only a
// pass and a failure on one commit is told; a break of one variant is not.
func (e *Engine) tellSiblings(c *inquiry, factor float64) {
	n := e.namesIn(c)
	if n.variant == "" {
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
		if told > 0 {
			c.record.belief.Mixed(math.Exp(float64(told)))
		}
	} else if factor < worthElsewhere {
		return
	}
	if factor >= worthElsewhere {
		told = e.boost(c, keys, told, factor)
	}
	w := &e.writer
	w.Bytes = append(w.Bytes[:0], kindSiblings)
	w.F32(told)
	w.Byte(byte(len(keys)))
	for _, k := range keys {
		w.U64(k)
	}
	e.state.SetValue(key, w.Bytes)
}

// boost raises the other variants by the root of what the piece is worth here.
func (e *Engine) boost(c *inquiry, keys []uint64, told float32, factor float64) float32 {
	root := math.Sqrt(factor)
	for _, k := range keys {
		if k == c.key {
			continue
		}
		if rec := e.record(k); rec != nil {
			rec.belief.Mixed(root)
			e.putRecord(k, rec)
		}
	}
	return min(told+float32(math.Log(root)), 4)
}
