package state

import (
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
)

func TestABaseBeyondTheCursorIsNotUsed(t *testing.T) {
	d := crashdisk.New(1)
	f := written(t, d, 5, Options{MergeBytes: 1})
	s := openTest(t, d, Options{})
	next, err := s.Restore(t.Context(), testLog, 0, 20, 25)
	require.NoError(t, err)
	require.EqualValues(t, 20, next)
	f.requireFold(s, next)
}

func TestABaseThatWasCutIsNeverUsedAgain(t *testing.T) {
	d := crashdisk.New(1)
	f := written(t, d, 5, Options{MergeBytes: 1})
	before := filesOf(t, d)
	s := openTest(t, d, Options{})
	next, err := s.Restore(t.Context(), testLog, 0, 20, 25)
	require.NoError(t, err)
	require.EqualValues(t, 20, next)
	require.NoError(t, s.Close(t.Context()))

	// A crash can leave the old files, and the newest manifest can rot.
	for name, content := range filesOf(t, d) {
		if before[name] == nil && strings.Contains(name, manifestPrefix) {
			require.NotEmpty(t, content)
			require.NoError(t, d.Remove(name))
		}
	}
	for name, content := range before {
		if !strings.Contains(name, segmentPrefix) {
			require.NoError(t, disk.Replace(d, name, content))
		}
	}
	s = openTest(t, d, Options{})
	next, err = s.Restore(t.Context(), testLog, 0, 0, 1000)
	require.NoError(t, err)
	require.EqualValues(t, 20, next)
	f.requireFold(s, next)
}

func filesOf(t *testing.T, d *crashdisk.Disk) map[string][]byte {
	names, err := d.List("state/0000")
	require.NoError(t, err)
	files := map[string][]byte{}
	for _, name := range names {
		name = path.Join("state/0000", name)
		file, err := d.Open(name)
		require.NoError(t, err)
		size, err := file.Size()
		require.NoError(t, err)
		files[name] = make([]byte, size)
		_, err = file.ReadAt(files[name], 0)
		require.NoError(t, err)
		require.NoError(t, file.Close())
	}
	return files
}

// One cell says under which logic each record was applied.
func applyLogic(t *testing.T, table *Table, from, to int64, logic uint64) {
	for record := from; record < to; record++ {
		require.NoError(t, table.Begin(record, record))
		table.SetCell(uint64(record), logic)
		require.NoError(t, table.End())
	}
}

func TestWhatWasCutStaysCutAfterAPowerCut(t *testing.T) {
	for seed := range uint64(30) {
		d := crashdisk.New(seed)
		s := openTest(t, d, Options{})
		_, err := s.Restore(t.Context(), testLog, 0, 0, 0)
		require.NoError(t, err)
		table, err := s.Table(t.Context(), "a", 0, "v1")
		require.NoError(t, err)
		applyLogic(t, table, 0, 10, 1)
		s.Acked(0, 10)
		applyLogic(t, table, 10, 20, 1)
		s.Acked(0, 20)
		require.NoError(t, s.Close(t.Context()))

		// What the first logic made of 10 to 19 never left the process: it is done again under another one.
		s = openTest(t, d, Options{})
		next, err := s.Restore(t.Context(), testLog, 0, 0, 10)
		require.NoError(t, err)
		require.EqualValues(t, 10, next)
		table, err = s.Table(t.Context(), "a", 0, "v2")
		require.NoError(t, err)
		applyLogic(t, table, 10, 20, 2)
		s.Acked(0, 20)
		d.Crash()

		s = openTest(t, d, Options{})
		next, err = s.Restore(t.Context(), testLog, 0, 0, 20)
		require.NoError(t, err)
		table, err = s.Table(t.Context(), "a", 0, "v2")
		require.NoError(t, err)
		for record := range uint64(20) {
			cell, ok := table.Cell(record)
			require.Equal(t, int64(record) < next, ok)
			if ok && record >= 10 {
				require.EqualValues(t, 2, cell, "record %d of seed %d", record, seed)
			}
		}
	}
}

func TestWhatHasOnlyPassedTheProcessorsIsCutToo(t *testing.T) {
	d := crashdisk.New(1)
	s := openTest(t, d, Options{})
	_, err := s.Restore(t.Context(), testLog, 0, 0, 0)
	require.NoError(t, err)
	table, err := s.Table(t.Context(), "a", 0, "v1")
	require.NoError(t, err)
	applyLogic(t, table, 0, 9, 1)
	require.NoError(t, table.Begin(9, 9))
	table.SetCell(9, 1)
	s.Passed(0, 10) // It closes record 9: nobody else will before the store has it.
	require.NoError(t, table.Begin(10, 10))
	table.SetCell(10, 1)
	s.Acked(0, 10)
	require.NoError(t, table.Begin(11, 11))
	table.SetCell(11, 1)
	s.Passed(0, 12)
	require.NoError(t, s.Snapshot(t.Context()), "it contains what the store has")
	require.EqualValues(t, 10, s.Synced(0))
	require.NoError(t, s.Close(t.Context()))

	s = openTest(t, d, Options{})
	next, err := s.Restore(t.Context(), testLog, 0, 0, 11)
	require.NoError(t, err)
	require.EqualValues(t, 10, next)
	table, err = s.Table(t.Context(), "a", 0, "v1")
	require.NoError(t, err)
	for record := range uint64(13) {
		_, ok := table.Cell(record)
		require.Equal(t, record < 10, ok, "record %d", record)
	}
}
