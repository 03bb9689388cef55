package state

import (
	"errors"
	"path"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// written makes a store, processes records in batches of ten and snapshots after each.
func written(t *testing.T, d disk.Disk, batches int, o Options) *folds {
	f := newFolds(t)
	s := openTest(t, d, o)
	_, err := s.Restore(t.Context(), testLog, 0, 0, 0)
	require.NoError(t, err)
	tables := f.requireFold(s, 0)
	for n := range int64(batches) {
		require.NoError(t, process(tables, n*10, n*10+10))
		s.Acked(0, n*10+10)
		require.NoError(t, s.Snapshot(t.Context()))
	}
	require.NoError(t, s.Close(t.Context()))
	return f
}

func TestStateIsCutAtTheCursor(t *testing.T) {
	for _, test := range []struct {
		name         string
		cursor, want int64
	}{
		{"at the cursor", 30, 30},
		{"at the last batch that ended below it", 39, 30},
		{"at the newest batch when the cursor is beyond", 99, 50},
		{"at the beginning", 9, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := crashdisk.New(1)
			f := written(t, d, 5, Options{})
			s := openTest(t, d, Options{})
			next, err := s.Restore(t.Context(), testLog, 0, 0, test.cursor)
			require.NoError(t, err)
			require.Equal(t, test.want, next)
			f.requireFold(s, next)
			require.NoError(t, s.Close(t.Context()))

			// What was cut never comes back, whatever the cursor says later.
			s = openTest(t, d, Options{})
			next, err = s.Restore(t.Context(), testLog, 0, 0, 1000)
			require.NoError(t, err)
			require.Equal(t, test.want, next)
			f.requireFold(s, next)
		})
	}
}

func TestOfABatchHalfDoneNothingStays(t *testing.T) {
	d := crashdisk.New(1)
	f := written(t, d, 3, Options{})
	s := openTest(t, d, Options{})
	_, err := s.Restore(t.Context(), testLog, 0, 0, 30)
	require.NoError(t, err)
	tables := f.requireFold(s, 30)
	require.NoError(t, process(tables, 30, 35))
	require.NoError(t, applyRecord(tables["a"], 35, seeds["a"]))
	require.NoError(t, s.Close(t.Context()))
	s = openTest(t, d, Options{})
	next, err := s.Restore(t.Context(), testLog, 0, 0, 40)
	require.NoError(t, err)
	require.EqualValues(t, 30, next)
	f.requireFold(s, 30)
}

func TestDamagedFilesAreNotRead(t *testing.T) {
	flip := func(t *testing.T, d disk.Disk, prefix string, fromEnd int64) {
		names, err := d.List("state/0000")
		require.NoError(t, err)
		for _, name := range names {
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			file, err := d.Open(path.Join("state/0000", name))
			require.NoError(t, err)
			size, err := file.Size()
			require.NoError(t, err)
			if size <= fromEnd {
				continue
			}
			one := make([]byte, 1)
			_, err = file.ReadAt(one, size-fromEnd)
			require.NoError(t, err)
			one[0] ^= 0x40
			_, err = file.WriteAt(one, size-fromEnd)
			require.NoError(t, err)
			require.NoError(t, file.Close())
		}
	}
	remove := func(t *testing.T, d disk.Disk, prefix string, _ int64) {
		names, err := d.List("state/0000")
		require.NoError(t, err)
		for _, name := range names {
			if strings.HasPrefix(name, prefix) {
				require.NoError(t, d.Remove(path.Join("state/0000", name)))
			}
		}
	}
	for _, test := range []struct {
		name   string
		damage func(*testing.T, disk.Disk, string, int64)
		prefix string
		at     int64
		merge  bool
		want   int64
	}{
		{"a torn last segment ends at its last whole mark", flip, "delta-000000000009", 1, false, 40},
		{"a segment damaged in the middle ends the state there", flip, "delta-000000000003", 50, false, 10},
		{"without manifests the segments suffice", remove, manifestPrefix, 0, false, 50},
		{"damaged manifests are left out", flip, manifestPrefix, 20, false, 50},
		{"without any file the state begins where the log begins", remove, "", 0, false, 0},
		{"a damaged base is not used", flip, basePrefix, 30, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := crashdisk.New(1)
			o := Options{}
			if test.merge {
				o.MergeBytes = 1
			}
			f := written(t, d, 5, o)
			test.damage(t, d, test.prefix, test.at)
			s := openTest(t, d, Options{})
			next, err := s.Restore(t.Context(), testLog, 0, 0, 50)
			require.NoError(t, err)
			require.Equal(t, test.want, next)
			f.requireFold(s, next)
			require.NoError(t, s.Close(t.Context()))
			d.Kill()
			s = openTest(t, d, Options{})
			again, err := s.Restore(t.Context(), testLog, 0, 0, 50)
			require.NoError(t, err)
			require.Equal(t, next, again)
			f.requireFold(s, again)
		})
	}
}

func TestRestoreRefusesInOneSentence(t *testing.T) {
	for _, test := range []struct {
		name          string
		log           testengine.LogIdentity
		partition     int
		begin, cursor int64
		want          string
	}{
		{"another log", testengine.LogIdentity{ID: "log-b", Partitions: 1}, 0, 0, 50, "belongs to log log-a, not to log-b"},
		{"another number of lanes", testengine.LogIdentity{ID: "log-a", Partitions: 2}, 0, 0, 50, "partition 0 of 1, not 0 of 2"},
		{"no state, and the log no longer begins at 0", testLog, 1, 20, 50, "state reset"},
		{"state that ends before the log begins", testLog, 0, 51, 60, "state reset"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := crashdisk.New(1)
			written(t, d, 5, Options{})
			s := openTest(t, d, Options{})
			_, err := s.Restore(t.Context(), test.log, test.partition, test.begin, test.cursor)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestAFolderBelongsToOneProcess(t *testing.T) {
	d := crashdisk.New(1)
	s := openTest(t, d, Options{})
	_, err := Open(d, Options{Dir: "state"})
	require.ErrorIs(t, err, disk.ErrLocked)
	require.NoError(t, s.Close(t.Context()))
	openTest(t, d, Options{})
}

func TestAProcessorAddedToARunningPipelineIsRefused(t *testing.T) {
	d := crashdisk.New(1)
	written(t, d, 2, Options{})
	s := openTest(t, d, Options{})
	_, err := s.Restore(t.Context(), testLog, 0, 0, 20)
	require.NoError(t, err)
	_, err = s.Table(t.Context(), "c", 0, "v1")
	require.ErrorContains(t, err, "state reset --from OFFSET")
}

func TestATableSaysUnderWhichLogicItWasComputed(t *testing.T) {
	d := crashdisk.New(1)
	f := newFolds(t)
	for _, life := range []struct{ logic, restored string }{{"v1", ""}, {"v2", "v1"}, {"v3", "v1"}, {"v3", "v3"}} {
		s := openTest(t, d, Options{})
		next, err := s.Restore(t.Context(), testLog, 0, 0, 1000)
		require.NoError(t, err)
		tables := map[string]*Table{}
		for name := range seeds {
			tables[name], err = s.Table(t.Context(), name, 0, life.logic)
			require.NoError(t, err)
			require.Equal(t, life.restored, tables[name].RestoredLogic())
		}
		require.NoError(t, process(tables, next, next+5))
		if life.logic != "v2" { // The second life ends before its batch is done.
			s.Acked(0, next+5)
		}
		require.NoError(t, s.Close(t.Context()))
	}
	require.NotNil(t, f)
}

func TestAfterAFailedWriteThePartitionStandsUntilRestored(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault error
		verb  string
	}{
		{"a full disk", syscall.ENOSPC, "write"},
		{"a disk that fails to write", syscall.EIO, "write"},
		{"a disk that fails to sync", syscall.EIO, "sync"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := crashdisk.New(1)
			f := written(t, d, 5, Options{})
			s := openTest(t, d, Options{})
			_, err := s.Restore(t.Context(), testLog, 0, 0, 50)
			require.NoError(t, err)
			tables := f.requireFold(s, 50)
			require.NoError(t, process(tables, 50, 60))
			s.Acked(0, 60)
			d.Hook(func(op crashdisk.Op) error {
				if op.Verb == test.verb {
					return test.fault
				}
				return nil
			})
			require.NoError(t, process(tables, 60, 70))
			s.Acked(0, 70)
			_ = s.Snapshot(t.Context())
			require.EqualValues(t, 50, s.Synced(0))
			err = tables["a"].Begin(70, 1)
			require.ErrorIs(t, err, test.fault)
			d.Hook(nil)
			require.Error(t, tables["a"].Begin(70, 1), "a disk that works again is not enough")
			generation := tables["a"].Generation()

			next, err := s.Restore(t.Context(), testLog, 0, 0, 70)
			require.NoError(t, err)
			require.EqualValues(t, 50, next, "what was not synced is not trusted")
			f.requireFold(s, next)
			require.Greater(t, tables["a"].Generation(), generation)
			require.NoError(t, process(tables, next, 80))
			s.Acked(0, 80)
			require.NoError(t, s.Snapshot(t.Context()))
			f.requireFold(s, 80)
			d.Crash()
			s = openTest(t, d, Options{})
			next, err = s.Restore(t.Context(), testLog, 0, 50, 80)
			require.NoError(t, err)
			require.EqualValues(t, 80, next)
			f.requireFold(s, next)
		})
	}
}

// While a disk is full its lanes are restored again and again.
func TestARestoreThatAFullDiskStopsLeavesNoFile(t *testing.T) {
	d := crashdisk.New(1)
	f := written(t, d, 5, Options{})
	s := openTest(t, d, Options{})
	files := func() []string {
		names, err := d.List("state/0000")
		require.NoError(t, err)
		return names
	}
	before := files()
	require.NotEmpty(t, before)
	d.Hook(func(op crashdisk.Op) error {
		if op.Verb == "write" {
			return syscall.ENOSPC
		}
		return nil
	})
	for range 3 {
		_, err := s.Restore(t.Context(), testLog, 0, 0, 50)
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.Equal(t, before, files())
	}
	d.Hook(nil)
	next, err := s.Restore(t.Context(), testLog, 0, 0, 50)
	require.NoError(t, err)
	f.requireFold(s, next)
}

func TestRollBackThrowsAwayWhatWasNotAcknowledged(t *testing.T) {
	d := crashdisk.New(1)
	f := newFolds(t)
	s := openTest(t, d, Options{})
	_, err := s.Restore(t.Context(), testLog, 0, 0, 0)
	require.NoError(t, err)
	tables := f.requireFold(s, 0)
	for cycle := range int64(5) {
		from := cycle * 10
		require.NoError(t, process(tables, from, from+7))
		next, err := s.RollBack(t.Context(), 0, from)
		require.NoError(t, err)
		require.Equal(t, from, next)
		f.requireFold(s, from)
		require.NoError(t, process(tables, from, from+10))
		s.Acked(0, from+10)
	}
	f.requireFold(s, 50)
}

func TestWithoutFilesStateFollowsALogFromItsBeginning(t *testing.T) {
	s, err := Open(nil, Options{InMemory: true})
	require.NoError(t, err)
	next, err := s.Restore(t.Context(), testLog, 0, 0, 40)
	require.NoError(t, err)
	require.Zero(t, next)
	s.Acked(0, 40)
	require.Zero(t, s.Synced(0), "the log has to keep everything")
	_, err = s.Restore(t.Context(), testLog, 0, 5, 40)
	require.ErrorContains(t, err, "from its beginning")
	require.NoError(t, s.Close(t.Context()))
}

func TestTheEarliestTimerOfAllTablesIsDueNext(t *testing.T) {
	s, err := Open(nil, Options{InMemory: true})
	require.NoError(t, err)
	for name, due := range map[string]int64{"a": 70, "b": 30} {
		table, err := s.Table(t.Context(), name, 0, "")
		require.NoError(t, err)
		require.NoError(t, table.Begin(0, 1))
		table.SetTimer(1, due)
		require.NoError(t, table.End())
	}
	due, ok := s.NextDue(0)
	require.True(t, ok)
	require.EqualValues(t, 30, due)
	_, ok = s.NextDue(1)
	require.False(t, ok)
}

func TestATableWaitsForTheRestore(t *testing.T) {
	s := openTest(t, crashdisk.New(1), Options{})
	got := make(chan error, 1)
	go func() {
		_, err := s.Table(t.Context(), "a", 0, "v1")
		got <- err
	}()
	select {
	case err := <-got:
		require.Fail(t, "the table came before the restore", "%v", err)
	default:
	}
	_, err := s.Restore(t.Context(), testLog, 0, 0, 0)
	require.NoError(t, err)
	require.NoError(t, errors.Join(<-got))
}

func TestOldFilesAreRemoved(t *testing.T) {
	d := crashdisk.New(1)
	written(t, d, 60, Options{MergeBytes: 4 << 10})
	names, err := d.List("state/0000")
	require.NoError(t, err)
	counts := map[string]int{}
	for _, name := range names {
		counts[strings.SplitAfter(name, "-")[0]]++
	}
	require.Equal(t, 3, counts[manifestPrefix])
	require.LessOrEqual(t, counts[basePrefix], 3)
	require.Positive(t, counts[basePrefix])
	require.Less(t, counts[segmentPrefix], 30, "%v", names)
}
