package depot_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/depot"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

var testLog = testengine.LogIdentity{ID: "log-a", Partitions: 1}

// node is a process with a disk of its own and the depot that all share.
type node struct {
	*state.Store
	disk  *crashdisk.Disk
	table *state.Table
	acked int64
}

type clock struct{ now time.Time }

func openNode(t *testing.T, name string, own *crashdisk.Disk, shared disk.Disk, c *clock) *node {
	t.Helper()
	directory, err := depot.NewDirectory(shared, "depot")
	require.NoError(t, err)
	s, err := state.Open(own, state.Options{
		Dir: "state", SegmentBytes: 4 << 10, MergeBytes: 8 << 10, Depot: directory, Process: name,
		Now: func() time.Time { return c.now }, Warn: func(text string) { t.Log(name, text) },
	})
	require.NoError(t, err)
	return &node{Store: s, disk: own}
}

// restore brings the node to the cursor and checks that its state is the fold of the log.
func (n *node) restore(t *testing.T, begin, cursor int64) int64 {
	t.Helper()
	next, err := n.Restore(t.Context(), testLog, 0, begin, cursor)
	require.NoError(t, err)
	n.requireFold(t, next)
	return next
}

func (n *node) requireFold(t *testing.T, next int64) {
	t.Helper()
	var err error
	n.table, err = n.Table(t.Context(), "a", 0, "v1")
	require.NoError(t, err)
	require.Equal(t, fold(t, next), dump(n.table), "at %d", next)
	n.acked = next
}

func (n *node) work(to int64) error {
	for record := n.acked; record < to; record++ {
		if err := apply(n.table, record); err != nil {
			return err
		}
	}
	n.Acked(0, to)
	n.acked = to
	return nil
}

// apply changes the table by a record, as a function of the record alone.
func apply(t *state.Table, record int64) error {
	random := rand.New(rand.NewPCG(uint64(record), 1))
	if err := t.Begin(record, record*10); err != nil {
		return err
	}
	for range random.IntN(12) {
		key := random.Uint64N(200)
		switch random.IntN(4) {
		case 0, 1:
			t.SetCell(key, random.Uint64()>>8)
		case 2:
			t.SetValue(key, fmt.Appendf(nil, "%d-%0*d", record, random.IntN(100), 0))
		case 3:
			t.Delete(key)
		}
	}
	return t.End()
}

func fold(t *testing.T, next int64) string {
	t.Helper()
	table, err := state.NewMemory().Table(t.Context(), "a", 0, "")
	require.NoError(t, err)
	for record := range next {
		require.NoError(t, apply(table, record))
	}
	return dump(table)
}

func dump(t *state.Table) (text string) {
	t.Range(func(key, cell uint64, value []byte) bool {
		text += fmt.Sprintf("%d: %d %s\n", key, cell, value)
		return true
	})
	return text
}
