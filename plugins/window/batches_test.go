package window

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/stateful"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// batchCase is a stream of records and how its events are aggregated.
type batchCase struct {
	yaml    string
	records []string // JSON; "" is a tick
}

// anyCase makes events of few keys whose times go on, go back, and jump.
func anyCase(r *rand.Rand) batchCase {
	window := []string{
		`{ type: tumbling, size: 10s }`, `{ type: sliding, size: 20s, slide: 5s }`, `{ type: session, gap: 4s }`,
	}[r.IntN(3)]
	c := batchCase{yaml: fmt.Sprintf(`
name: any
by: [ key ]
time: at
time_unit: s
window: %s
delay: %ds
lateness: %ds
early: %ds
aggregates:
  - { name: n, function: count }
  - { name: sum, function: sum, field: v }
  - { name: least, function: min, field: v }
  - { name: users, function: distinct, field: u }
  - { name: spread, function: percentiles, field: v }
`, window, r.IntN(4), r.IntN(30), []int{0, 3}[r.IntN(2)])}
	at := 1000
	for range 120 {
		if r.IntN(12) == 0 {
			c.records = append(c.records, "")
			continue
		}
		var events []string
		for range 1 + r.IntN(4) {
			at += r.IntN(3)
			if r.IntN(40) == 0 {
				at += 60
			}
			events = append(events, fmt.Sprintf(`{"key":"k%d","at":%d,"v":%d,"u":%d}`, r.IntN(4), at-r.IntN(20)*r.IntN(2), r.IntN(1000), r.IntN(50)))
		}
		c.records = append(c.records, "["+strings.Join(events, ",")+"]")
	}
	return c
}

// aggregate processes the records in batches, of which each is acknowledged, and
// returns what left, in order, and the state at the end.
func (c batchCase) aggregate(t *testing.T, size func() int) (said []string, remembered string) {
	t.Helper()
	d := crashdisk.New(1)
	store, err := state.Open(d, state.Options{Dir: "state"})
	require.NoError(t, err)
	_, err = store.Restore(t.Context(), testengine.LogIdentity{ID: "log", Partitions: 4}, 3, 0, 0)
	require.NoError(t, err)
	a := newAggregator(t, c.yaml)
	a.lanes = stateful.Over(store, service.MockResources().Logger(), a.memory)
	for from := 0; from < len(c.records); {
		to := min(len(c.records), from+size())
		for offset := from; offset < to; offset++ {
			at := int64(1000+2*offset) * 1000
			m := text(c.records[offset])
			if c.records[offset] == "" {
				m = tick(at)
			}
			out, err := a.Process(t.Context(), logged(m, int64(offset), at))
			require.NoError(t, err)
			for _, one := range out {
				content, err := one.AsBytes()
				require.NoError(t, err)
				said = append(said, string(content))
			}
		}
		store.Acked(3, int64(to))
		from = to
	}
	require.NoError(t, store.Close(t.Context()))
	var exported bytes.Buffer
	require.NoError(t, state.Export(t.Context(), d, "state", &exported))
	return said, exported.String()
}

func TestTheSizeOfBatchesChangesNothing(t *testing.T) {
	panes := 0
	for seed := range uint64(40) {
		c := anyCase(rand.New(rand.NewPCG(seed, 1)))
		want, remembered := c.aggregate(t, func() int { return 1 })
		panes += len(want)
		sizes := rand.New(rand.NewPCG(seed, 2))
		for name, size := range map[string]func() int{
			"all at once": func() int { return len(c.records) },
			"at random":   func() int { return 1 + sizes.IntN(30) },
		} {
			said, state := c.aggregate(t, size)
			require.Equal(t, want, said, "seed %d, %s:%s", seed, name, c.yaml)
			require.Equal(t, remembered, state, "seed %d, %s:%s", seed, name, c.yaml)
		}
	}
	require.Greater(t, panes, 40*150)
}
