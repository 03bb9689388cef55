package state

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

const (
	benchCells  = 1_000_000
	benchValues = 100_000
	benchRecord = 2_000
	benchWarm   = 40
)

// BenchmarkRestore reads the state of a million tests that never failed and a
// hundred thousand that did: once from deltas alone, once from a base.
func BenchmarkRestore(b *testing.B) {
	for name, merge := range map[string]int64{"deltas": 1 << 40, "base": 1} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			o := Options{Dir: dir, MergeBytes: merge}
			s, err := Open(disk.OS(), o)
			require.NoError(b, err)
			next := fillBench(b, s)
			require.NoError(b, s.Close(b.Context()))
			b.ResetTimer()
			for b.Loop() {
				s, err := Open(disk.OS(), o)
				require.NoError(b, err)
				got, err := s.Restore(b.Context(), testLog, 0, 0, next)
				require.NoError(b, err)
				require.Equal(b, next, got)
				b.StopTimer()
				table, err := s.Table(b.Context(), "a", 0, "")
				require.NoError(b, err)
				require.Equal(b, benchCells+benchValues, table.Len())
				b.ReportMetric(float64(table.entries.bytes())/float64(table.Len()), "B/entry")
				b.ReportMetric(float64(table.Bytes()-table.entries.bytes())/benchValues, "B/value")
				require.NoError(b, s.Close(b.Context()))
				b.StartTimer()
			}
		})
	}
}

func fillBench(b *testing.B, s *Store) (next int64) {
	_, err := s.Restore(b.Context(), testLog, 0, 0, 0)
	require.NoError(b, err)
	table, err := s.Table(b.Context(), "a", 0, "")
	require.NoError(b, err)
	random, value := rand.New(rand.NewPCG(1, 1)), make([]byte, 64)
	for ; next*benchRecord < benchCells; next++ {
		require.NoError(b, table.Begin(next, next))
		for n := range benchRecord {
			table.SetCell(random.Uint64(), random.Uint64()>>20)
			if n%(benchCells/benchValues) == 0 {
				table.SetValue(random.Uint64(), value)
			}
		}
		require.NoError(b, table.End())
		s.Acked(0, next+1)
		if next == benchCells/benchRecord-2 {
			require.NoError(b, s.Snapshot(b.Context()))
		}
	}
	return next
}

// BenchmarkRecord is a record of 2,000 executions of known tests, deltas included.
func BenchmarkRecord(b *testing.B) {
	s, err := Open(disk.OS(), Options{Dir: b.TempDir()})
	require.NoError(b, err)
	next := fillBench(b, s)
	table, err := s.Table(b.Context(), "a", 0, "")
	require.NoError(b, err)
	keys := make([]uint64, 0, table.Len())
	table.Range(func(key, _ uint64, value []byte) bool {
		if value == nil {
			keys = append(keys, key)
		}
		return true
	})
	rand.New(rand.NewPCG(2, 2)).Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	b.ReportAllocs()
	before := s.partitions[0].folder.last
	at := 0
	for b.Loop() {
		require.NoError(b, table.Begin(next, next))
		for n := range benchRecord {
			if n%benchWarm == 0 {
				table.Warm(keys[at:min(at+benchWarm, len(keys))])
			}
			cell, _ := table.Cell(keys[at])
			table.SetCell(keys[at], (cell+1)&MaxCell)
			at = (at + 1) % len(keys)
		}
		require.NoError(b, table.End())
		next++
		s.Acked(0, next)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRecord, "ns/execution")
	require.GreaterOrEqual(b, s.partitions[0].folder.last, before)
}
