package state

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func TestSnapshotsAreReadWhileAProcessHoldsTheFolder(t *testing.T) {
	d := crashdisk.New(1)
	written(t, d, 5, Options{MergeBytes: 1})
	s := openTest(t, d, Options{})
	defer s.Close(t.Context()) //nolint:errcheck // the disk is in memory
	all, err := Snapshots(d, "state")
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, "log-a", all[0].LogID)
	require.EqualValues(t, 50, all[0].Next)
	require.Equal(t, []int64{50, 40, 30}, all[0].ReachedByOffsets)
	names := []string{all[0].Tables[0].Name, all[0].Tables[1].Name}
	require.ElementsMatch(t, []string{"a", "b"}, names)
	require.NoError(t, Export(t.Context(), d, "state", new(bytes.Buffer)))

	_, err = Snapshots(d, "elsewhere")
	require.ErrorIs(t, err, ErrNoState)
}

func TestAnImportedStateIsTheExportedOne(t *testing.T) {
	d := crashdisk.New(1)
	f := written(t, d, 5, Options{MergeBytes: 1})
	var exported bytes.Buffer
	require.NoError(t, Export(t.Context(), d, "state", &exported))
	for _, test := range []struct {
		name   string
		target Target
		refuse string
		begins int64
	}{
		{"the same log goes on where it was", Target{}, "", 50},
		{"another log begins with what is known", Target{Log: testengine.LogIdentity{ID: "log-b", Partitions: 1}}, "", 0},
		{"the same log has no more partitions", Target{Log: testengine.LogIdentity{ID: testLog.ID, Partitions: 4}}, "a log keeps its number of partitions", 0},
		{"an upload log, whose lanes have other suites than a topic's partitions", Target{Log: testengine.LogIdentity{ID: "log_0f", Partitions: 1}}, "one of the two logs is an upload log", 0},
		{"a log whose suites nobody can place", Target{Log: testengine.LogIdentity{ID: "log-b", Partitions: 4}}, "nobody says how the keys", 0},
		{"a table that nobody can divide", Target{Log: testengine.LogIdentity{ID: "log-b", Partitions: 4}, Division: Division{PartitionOf: bySuite}}, "cannot be divided", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			to := crashdisk.New(2)
			err := Import(to, "state", bytes.NewReader(exported.Bytes()), test.target)
			if test.refuse != "" {
				require.ErrorContains(t, err, test.refuse)
				return
			}
			require.NoError(t, err)
			log := testLog
			if test.target.Log.ID != "" {
				log = test.target.Log
			}
			s := openTest(t, to, Options{})
			next, err := s.Restore(t.Context(), log, 0, 0, 1000)
			require.NoError(t, err)
			require.Equal(t, test.begins, next)
			for name := range seeds {
				table, err := s.Table(t.Context(), name, 0, "v1")
				require.NoError(t, err)
				require.Equal(t, f.at(name, 50), dump(table))
				require.NoError(t, applyRecord(table, next, seeds[name]), "the first record is new to it")
			}
			require.Error(t, Import(to, "state", bytes.NewReader(exported.Bytes()), test.target), "a folder with a state stays")
		})
	}
	require.ErrorContains(t, Import(crashdisk.New(3), "state", strings.NewReader(`{"format": 7}`), Target{}), "format 7")
	require.ErrorContains(t, Import(crashdisk.New(3), "state", strings.NewReader("{\"format\": 2, \"partitions\": 1}\nnonsense"), Target{}), "line 2")
	require.ErrorContains(t, Import(crashdisk.New(3), "state", strings.NewReader(`{"format": 2}`), Target{}), "it has 0 partitions")
}

func TestAStateIsComparedWithAReplay(t *testing.T) {
	d := crashdisk.New(1)
	written(t, d, 5, Options{MergeBytes: 1})
	replay := func(t *testing.T, records int64, spoil func(*Table)) {
		s, err := Open(d, Options{Dir: t.Name()})
		require.NoError(t, err)
		_, err = s.Restore(t.Context(), testLog, 0, 0, 0)
		require.NoError(t, err)
		tables := map[string]*Table{}
		for name := range seeds {
			tables[name], err = s.Table(t.Context(), name, 0, "v1")
			require.NoError(t, err)
		}
		tables["a"].OnClose(func() {
			if tables["a"].offset == records-1 {
				spoil(tables["a"])
			}
		})
		require.NoError(t, process(tables, 0, records))
		s.Acked(0, records)
		require.NoError(t, s.Close(t.Context()))
	}
	honest := func(*Table) {}
	for _, test := range []struct {
		name    string
		records int64
		spoil   func(*Table)
		at      int64
		differ  string
	}{
		{"the same records give the same state", 50, honest, 50, ""},
		{"a replay that ends earlier is compared there", 30, honest, 30, ""},
		{"one cell more is found", 50, func(table *Table) { table.SetCell(12345, 1) }, 50, "key 12345 is only in the second state"},
	} {
		t.Run(test.name, func(t *testing.T) {
			replay(t, test.records, test.spoil)
			all, err := Compare(t.Context(), d, "state", t.Name())
			require.NoError(t, err)
			require.Equal(t, test.at, all[0].Next)
			require.Positive(t, all[0].Entries)
			require.Equal(t, test.differ != "", all[0].Differing > 0, "%v", all[0].Differences)
			if test.differ != "" {
				require.Contains(t, strings.Join(all[0].Differences, "\n"), test.differ)
			}
		})
	}
}

func TestAResetStateBeginsEmptyAtARecord(t *testing.T) {
	d := crashdisk.New(1)
	written(t, d, 5, Options{MergeBytes: 1})
	s := openTest(t, d, Options{})
	_, err := Reset(d, "state", -1, 20)
	require.ErrorIs(t, err, disk.ErrLocked)
	require.NoError(t, s.Close(t.Context()))

	reset, err := Reset(d, "state", -1, 20)
	require.NoError(t, err)
	require.Equal(t, []int{0}, reset)
	s = openTest(t, d, Options{})
	next, err := s.Restore(t.Context(), testLog, 0, 10, 50)
	require.NoError(t, err)
	require.EqualValues(t, 20, next)
	table, err := s.Table(t.Context(), "newcomer", 0, "v1")
	require.NoError(t, err, "a processor may be new where the state begins")
	require.Zero(t, table.Len())
	require.NoError(t, applyRecord(table, 20, 1))
	s.Acked(0, 21)
	require.NoError(t, s.Snapshot(t.Context()))
	require.NoError(t, s.Close(t.Context()))
	s = openTest(t, d, Options{})
	next, err = s.Restore(t.Context(), testLog, 0, 10, 50)
	require.NoError(t, err)
	require.EqualValues(t, 21, next)
	_, err = s.Table(t.Context(), "another", 0, "v1")
	require.ErrorContains(t, err, "state reset", "and nowhere else")

	require.NoError(t, s.Close(t.Context()))
	_, err = Reset(d, "state", 7, 0)
	require.ErrorContains(t, err, "no such partition")
}

func TestAnExportThatWasCutOffIsNotImported(t *testing.T) {
	d := crashdisk.New(1)
	written(t, d, 5, Options{})
	var exported bytes.Buffer
	require.NoError(t, Export(t.Context(), d, "state", &exported))
	lines := bytes.SplitAfter(bytes.TrimSuffix(exported.Bytes(), []byte("\n")), []byte("\n"))
	for n := range lines {
		err := Import(crashdisk.New(2), "state", bytes.NewReader(bytes.Join(lines[:n], nil)), Target{})
		require.ErrorIs(t, err, errCutOff, "after %d of %d lines", n, len(lines))
	}
	twice := append(exported.Bytes(), lines[1]...)
	require.ErrorContains(t, Import(crashdisk.New(2), "state", bytes.NewReader(twice), Target{}), "a line after the last one")
}

func TestAPartOfAStateIsNotTakenForTheWhole(t *testing.T) {
	d := crashdisk.New(1)
	log := testengine.LogIdentity{ID: "log-a", Partitions: 3}
	s := openTest(t, d, Options{})
	work := func(partition int) {
		_, err := s.Restore(t.Context(), log, partition, 0, 0)
		require.NoError(t, err)
		table, err := s.Table(t.Context(), "a", partition, "v1")
		require.NoError(t, err)
		require.NoError(t, table.Begin(0, 1000))
		require.NoError(t, table.End())
		s.Acked(partition, 1)
		require.NoError(t, s.Snapshot(t.Context()))
	}
	work(0)
	work(2)
	require.ErrorContains(t, CheckWhole(d, "state", nil), "state has 2 of 3 partitions, the others are with other processes")
	work(1)
	require.NoError(t, CheckWhole(d, "state", nil))
	require.NoError(t, CheckWhole(d, "state", map[int]int64{0: 1, 1: 1, 2: 1}))
	require.ErrorContains(t, CheckWhole(d, "state", map[int]int64{0: 1, 1: 4, 2: 1}), "partition 1 stands at record 1 in state and at 4 in the group")
}
