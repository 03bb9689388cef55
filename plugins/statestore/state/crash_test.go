package state

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
)

// world is a log, its store and a disk that stops at any operation.
type world struct {
	t      *testing.T
	random *rand.Rand
	disk   *crashdisk.Disk
	folds  *folds
	// cursor as the log has it on disk, and the log's first record.
	cursor, begin int64
	acked, before int64
}

func TestAfterACrashAnywhereTheStateIsTheFoldOfTheLog(t *testing.T) {
	lives := 15
	for seed := range uint64(12) {
		w := &world{t: t, random: rand.New(rand.NewPCG(seed, 7)), disk: crashdisk.New(seed), folds: newFolds(t)}
		for range lives {
			w.live()
			if w.random.IntN(3) == 0 {
				w.disk.Crash()
			} else {
				w.disk.Kill()
			}
		}
		require.Positive(t, w.acked)
	}
}

// live restores, checks, works and ends in a stop somewhere.
func (w *world) live() {
	s := openTest(w.t, w.disk, Options{SegmentBytes: 3 << 10, MergeBytes: 6 << 10, Warn: func(text string) { w.t.Log(text) }})
	quiet := w.random.IntN(6) == 0
	if quiet {
		w.disk.StopAfter(w.random.IntN(30))
	}
	next, err := s.Restore(w.t.Context(), testLog, 0, w.begin, w.cursor)
	if quiet && err != nil {
		require.ErrorIs(w.t, err, crashdisk.ErrStopped)
		return
	}
	require.NoError(w.t, err)
	require.GreaterOrEqual(w.t, next, w.begin)
	require.LessOrEqual(w.t, next, w.cursor)
	if !quiet {
		w.disk.StopAfter(w.random.IntN(150))
	}
	tables := map[string]*Table{}
	for name := range seeds {
		table, err := s.Table(w.t.Context(), name, 0, "v1")
		if err != nil {
			require.ErrorIs(w.t, err, crashdisk.ErrStopped)
			return
		}
		require.Equal(w.t, w.folds.at(name, next), dump(table), "table %s at %d", name, next)
		tables[name] = table
	}
	w.acked = next
	for w.work(s, tables) {
	}
}

// work does one batch; false when the machine has stopped.
func (w *world) work(s *Store, tables map[string]*Table) bool {
	to := w.acked + 1 + w.random.Int64N(20)
	if err := process(tables, w.acked, to); err != nil {
		require.ErrorIs(w.t, err, crashdisk.ErrStopped)
		return false
	}
	s.Acked(0, to)
	w.acked = to
	if w.random.IntN(2) == 0 {
		w.cursor = max(w.cursor, to)
	}
	if w.random.IntN(6) > 0 {
		return true
	}
	// The log writes its cursor more often than the state makes snapshots.
	w.cursor = max(w.cursor, w.before)
	w.before = w.acked
	if err := s.Snapshot(w.t.Context()); err != nil {
		require.ErrorIs(w.t, err, crashdisk.ErrStopped)
		return false
	}
	w.begin = max(w.begin, min(w.cursor, s.Synced(0))-w.random.Int64N(10))
	return true
}
