package state

import (
	"bytes"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// bySuite has suite 7 in partition 7 modulo the number.
func bySuite(suite string, partitions int) int {
	n, _ := strconv.Atoi(suite)
	return n % partitions
}

// suites is a table with a cell and a timer for each suite, by its number.
func suites(t *Table, mine func(key string) bool) error {
	var foreign []uint64
	t.Timers(func(id uint64, _ int64) bool {
		if !mine(strconv.FormatUint(id, 10)) {
			foreign = append(foreign, id)
		}
		return true
	})
	for _, id := range foreign {
		t.Delete(id)
		t.CancelTimer(id)
	}
	return nil
}

func TestAStateIsSharedOutOverMorePartitions(t *testing.T) {
	d := crashdisk.New(1)
	old := testengine.LogIdentity{ID: "log-a", Partitions: 2}
	s := openTest(t, d, Options{})
	for partition := range 2 {
		_, err := s.Restore(t.Context(), old, partition, 0, 0)
		require.NoError(t, err)
		table, err := s.Table(t.Context(), "suites", partition, "v1")
		require.NoError(t, err)
		require.NoError(t, table.Begin(0, int64(1000+partition)))
		for suite := uint64(partition); suite < 20; suite += 2 {
			table.SetCell(suite, 100+suite)
			table.SetTimer(suite, int64(5000+suite))
		}
		require.NoError(t, table.End())
		s.Acked(partition, 1)
	}
	require.NoError(t, s.Close(t.Context()))
	var exported bytes.Buffer
	require.NoError(t, Export(t.Context(), d, "state", &exported))

	young := testengine.LogIdentity{ID: "log-b", Partitions: 6}
	target := Target{Log: young, Division: Division{PartitionOf: bySuite, Tables: map[string]Divider{"suites": suites}}}
	to := crashdisk.New(2)
	require.NoError(t, Import(to, "state", bytes.NewReader(exported.Bytes()), target))
	s = openTest(t, to, Options{})
	all := 0
	for partition := range 6 {
		next, err := s.Restore(t.Context(), young, partition, 0, 0)
		require.NoError(t, err)
		require.Zero(t, next, "it stands before the first record")
		require.EqualValues(t, 1000+partition%2, s.Time(partition), "T goes on")
		table, err := s.Table(t.Context(), "suites", partition, "v1")
		require.NoError(t, err)
		table.Range(func(suite, cell uint64, _ []byte) bool {
			require.EqualValues(t, partition, suite%6)
			require.Equal(t, 100+suite, cell)
			all++
			return true
		})
		due, ok := s.NextDue(partition)
		require.True(t, ok)
		require.EqualValues(t, 5000+partition, due)
		require.NoError(t, table.Begin(0, 2000))
		require.NoError(t, table.End())
	}
	require.Equal(t, 20, all, "each suite is in one of them")

	elsewhere := func(suite string, partitions int) int { return (bySuite(suite, partitions) + 1) % partitions }
	strange := Target{Log: young, Division: Division{PartitionOf: elsewhere, Tables: target.Division.Tables}}
	require.ErrorContains(t, Import(crashdisk.New(4), "state", bytes.NewReader(exported.Bytes()), strange), `do not stand in partition 0 of 2, where its state is`)

	for partitions, why := range map[int]string{5: "only a multiple", 1: "only a multiple", 0: "only a multiple", -2: "only a multiple"} {
		target.Log.Partitions = partitions
		require.ErrorContains(t, Import(crashdisk.New(3), "state", bytes.NewReader(exported.Bytes()), target), why)
	}
}
