package state

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/tests/cputime"
)

const (
	largeLanes  = 4
	largeTests  = 10_000_000
	largeFailed = 500_000 // tests that failed once: a value beside the cell
	largeValue  = 150
)

// fillLarge gives the store ten million tests in four lanes, in records as they come.
func fillLarge(b *testing.B, s *Store, values int) (next int64) {
	b.Helper()
	value := make([]byte, largeValue)
	for lane := range largeLanes {
		random := rand.New(rand.NewPCG(uint64(lane), 9))
		_, err := s.Restore(b.Context(), testLogOf(largeLanes), lane, 0, 0)
		require.NoError(b, err)
		table, err := s.Table(b.Context(), "tests", lane, "v1")
		require.NoError(b, err)
		next = 0
		for done := 0; done < largeTests/largeLanes; done += benchRecord {
			require.NoError(b, table.Begin(next, next))
			for range benchRecord {
				table.SetCell(random.Uint64(), random.Uint64()>>20)
			}
			for range values * benchRecord / largeTests {
				table.SetValue(random.Uint64(), value)
			}
			require.NoError(b, table.End())
			next++
			s.Acked(lane, next)
		}
	}
	return next
}

func settle(b *testing.B, s *Store) {
	b.Helper()
	for range 2 { // The second snapshot merges what the first one contains.
		for lane := range largeLanes {
			p := s.partitions[lane]
			table := p.tables[0]
			require.NoError(b, table.Begin(p.acked, 1))
			table.SetCell(1, uint64(p.acked))
			require.NoError(b, table.End())
			s.Acked(lane, p.acked+1)
		}
		require.NoError(b, s.Snapshot(b.Context()))
	}
}

// BenchmarkTenMillionTests measures memory, the restore after kill -9 from own
// files, and from a depot after the disk was lost.
func BenchmarkTenMillionTests(b *testing.B) {
	dir := b.TempDir()
	depot := benchDepot(filepath.Join(dir, "depot"))
	o := Options{Dir: filepath.Join(dir, "own"), Now: time.Now, Depot: depot}
	s, err := Open(disk.OS(), o)
	require.NoError(b, err)
	before := heap()
	fillLarge(b, s, largeFailed)
	used := float64(heap() - before)
	settle(b, s)
	require.NoError(b, s.Upload(b.Context()))
	for b.Loop() {
		require.NoError(b, s.lock.Close())
		s, err = Open(disk.OS(), o)
		require.NoError(b, err)
		own := restoreLarge(b, s)
		require.NoError(b, s.lock.Close())
		o.Dir = filepath.Join(b.TempDir(), "other")
		s, err = Open(disk.OS(), o)
		require.NoError(b, err)
		b.ReportMetric(own.Seconds(), "s/own")
		b.ReportMetric(restoreLarge(b, s).Seconds(), "s/depot")
	}
	b.ReportMetric(used/1e6, "MB")
	b.ReportMetric(used/largeTests, "B/test")
}

// restoreLarge restores all lanes at once, as a log does.
func restoreLarge(b *testing.B, s *Store) time.Duration {
	b.Helper()
	start, done := time.Now(), make(chan error, largeLanes)
	for lane := range largeLanes {
		go func() {
			_, err := s.Restore(b.Context(), testLogOf(largeLanes), lane, 0, 1<<40)
			done <- err
		}()
	}
	for range largeLanes {
		require.NoError(b, <-done)
	}
	took, tests := time.Since(start), 0
	for lane := range largeLanes {
		table, err := s.Table(b.Context(), "tests", lane, "v1")
		require.NoError(b, err)
		tests += table.Len()
	}
	require.Greater(b, tests, largeTests)
	return took
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkGigabyte restores a snapshot of one gigabyte from a depot.
func BenchmarkGigabyte(b *testing.B) {
	dir := b.TempDir()
	o := Options{Dir: filepath.Join(dir, "own"), Now: time.Now, Depot: benchDepot(filepath.Join(dir, "depot"))}
	s, err := Open(disk.OS(), o)
	require.NoError(b, err)
	fillLarge(b, s, largeTests/2)
	settle(b, s)
	bytes := int64(0)
	for lane := range largeLanes {
		m := s.partitions[lane].folder.manifests[0]
		bytes += m.Base.Bytes
		for _, segment := range m.Segments {
			bytes += segment.Bytes
		}
	}
	require.NoError(b, s.Upload(b.Context()))
	for b.Loop() {
		require.NoError(b, s.lock.Close())
		o.Dir = filepath.Join(b.TempDir(), "other")
		s, err = Open(disk.OS(), o)
		require.NoError(b, err)
		b.ReportMetric(restoreLarge(b, s).Seconds(), "s/depot")
	}
	b.ReportMetric(float64(bytes)/1e6, "MB")
}

// BenchmarkCheckpoint is what snapshots cost: the CPU of records with snapshots
// every second and without, and how long a record can have to wait for one.
func BenchmarkCheckpoint(b *testing.B) {
	for _, test := range []struct {
		name  string
		every time.Duration
	}{{"off", time.Hour}, {"every second", time.Second}} {
		b.Run(test.name, func(b *testing.B) {
			s, next := benchStore(b)
			table := s.partitions[0].tables[0]
			ticker := time.NewTicker(test.every)
			defer ticker.Stop()
			ctx, cancel := context.WithCancel(b.Context())
			ran := make(chan struct{})
			go func() { s.Run(ctx, ticker.C); close(ran) }()
			defer func() { cancel(); <-ran }()
			random, before := rand.New(rand.NewPCG(3, 3)), cputime.Used(b)
			for b.Loop() {
				oneRecord(b, s, table, random, next)
				next++
			}
			b.ReportMetric(float64((cputime.Used(b)-before).Microseconds())/float64(b.N), "µsCPU/record")
		})
	}
	b.Run("pause", func(b *testing.B) {
		s, next := benchStore(b)
		p, random := s.partitions[0], rand.New(rand.NewPCG(3, 3))
		var pauses []time.Duration
		for b.Loop() {
			for range 20 {
				oneRecord(b, s, p.tables[0], random, next)
				next++
			}
			start := time.Now()
			_, _, _, err := p.sealForSnapshot()
			pauses = append(pauses, time.Since(start))
			require.NoError(b, err)
			require.NoError(b, p.snapshot(b.Context()))
		}
		slices.Sort(pauses)
		b.ReportMetric(float64(pauses[len(pauses)*99/100].Microseconds())/1000, "ms/p99")
		b.ReportMetric(float64(pauses[len(pauses)-1].Microseconds())/1000, "ms/max")
	})
}

func benchStore(b *testing.B) (s *Store, next int64) {
	b.Helper()
	s, err := Open(disk.OS(), Options{Dir: b.TempDir(), Now: time.Now})
	require.NoError(b, err)
	return s, fillBench(b, s)
}

func oneRecord(b *testing.B, s *Store, table *Table, random *rand.Rand, next int64) {
	b.Helper()
	require.NoError(b, table.Begin(next, next))
	for range benchRecord {
		table.SetCell(random.Uint64N(benchCells), random.Uint64()>>20)
	}
	require.NoError(b, table.End())
	s.Acked(0, next+1)
}
