package panes

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/window/events"
	"github.com/connect-testengine/connect-testengine/tests/cputime"
)

// benchRecord is how many events a record of the log has.
const benchRecord = 2000

var plain = []Aggregate{{Name: "n", Function: Count}, {Name: "sum", Function: Sum}, {Name: "min", Function: Min}, {Name: "max", Function: Max}, {Name: "avg", Function: Avg}}

// BenchmarkEngine is events that are read already: tumbling windows of a minute,
// the clock moves a millisecond each 100 events, records of 2,000 events, every
// changed window written to the state at the end of its record.
func BenchmarkEngine(b *testing.B) {
	withSketches := append(append([]Aggregate{}, plain...), Aggregate{Name: "p", Function: Percentiles, Percentiles: []float64{50, 99}}, Aggregate{Name: "d", Function: Distinct})
	for _, one := range []struct {
		name       string
		keys       int
		aggregates []Aggregate
		set        func(*Settings)
	}{
		{"10K keys", 10_000, plain, nil},
		{"10K keys, with sketches", 10_000, withSketches, nil},
		{"10K keys, sliding by 6", 10_000, plain, func(s *Settings) { s.Kind, s.Slide = Sliding, 10_000 }},
		{"10K keys, sessions", 10_000, plain, func(s *Settings) { s.Kind, s.Gap = Session, 1000 }},
		{"5M keys", 5_000_000, plain, nil},
	} {
		for _, durable := range []bool{false, true} {
			name := one.name + ", in memory"
			if durable {
				name = one.name + ", state in files"
			}
			b.Run(name, func(b *testing.B) {
				s := testSettings()
				s.Size, s.Slide, s.Lateness, s.Hot, s.MaxWindows, s.MaxPanes = 60_000, 60_000, 0, 20_000, 20_000_000, 20_000
				s.Aggregates = one.aggregates
				if one.set != nil {
					one.set(&s)
				}
				benchEngine(b, s, one.keys, durable)
			})
		}
	}
}

func benchTable(b *testing.B, durable bool) (*state.Table, func(next int64)) {
	if !durable {
		table, err := state.NewMemory().Table(b.Context(), "windows", 0, "")
		require.NoError(b, err)
		return table, func(int64) {}
	}
	store, err := state.Open(disk.OS(), state.Options{Dir: b.TempDir()})
	require.NoError(b, err)
	_, err = store.Restore(b.Context(), testengine.LogIdentity{ID: "log", Partitions: 1}, 0, 0, 0)
	require.NoError(b, err)
	b.Cleanup(func() {
		require.NoError(b, store.Close(context.WithoutCancel(b.Context())))
	})
	table, err := store.Table(b.Context(), "windows", 0, "")
	require.NoError(b, err)
	return table, func(next int64) { store.Acked(0, next) }
}

func benchEngine(b *testing.B, s Settings, keys int, durable bool) {
	require.NoError(b, s.Check())
	table, acked := benchTable(b, durable)
	engine, err := New(table, &s)
	require.NoError(b, err)
	inputs := make([]Input, len(s.Aggregates))
	random := rand.New(rand.NewPCG(1, 1))
	var key [12]byte
	key[0], key[1] = byte(events.Text), 10
	offset, at, panes, n := int64(0), int64(1_000_000), 0, 0
	record := func() {
		require.NoError(b, table.Begin(offset, at))
		for i := range benchRecord {
			if i%100 == 0 {
				at++
			}
			binary.LittleEndian.PutUint64(key[2:], uint64(random.IntN(keys)))
			for a := range inputs {
				inputs[a] = Input{Number: float64(random.IntN(1000)), Hash: random.Uint64() % 1000, Present: true}
			}
			outcome, err := engine.Add(key[:], at, inputs)
			if err != nil || outcome != Taken {
				b.Fatal(outcome, err)
			}
		}
		said, err := engine.Advance()
		require.NoError(b, err)
		panes += len(said)
		engine.Write()
		require.NoError(b, table.End())
		offset++
		acked(offset)
		n += benchRecord
	}
	for range min(2*keys, 3_000_000) / benchRecord {
		record()
	}
	n, panes = 0, 0
	before := cputime.Used(b)
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		record()
	}
	b.ReportMetric(float64(cputime.Used(b)-before)/float64(n), "cpu-ns/event")
	b.ReportMetric(float64(panes)/float64(n), "panes/event")
	b.ReportMetric(float64(table.Bytes())/float64(max(1, engine.Windows())), "B/window")
}
