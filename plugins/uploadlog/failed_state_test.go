package uploadlog

import (
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func TestAStateThatCannotBeWrittenStopsItsLaneUntilItIsRestored(t *testing.T) {
	f := newFixture()
	store, err := state.Open(f.disk, state.Options{Dir: "state", SegmentBytes: 1})
	require.NoError(t, err)
	f.real = store
	u := f.open(t)
	for number := range 6 {
		require.NoError(t, write(t, u, upload("a", number)))
	}
	process := func(offsets []int64) error {
		table, err := store.Table(t.Context(), "counter", 0, "v1")
		if err != nil {
			return err
		}
		for _, offset := range offsets {
			if err := table.Begin(offset, offset); err != nil {
				return err
			}
			count, _ := table.Cell(1)
			table.SetCell(1, count+1)
			if err := table.End(); err != nil {
				return err
			}
		}
		return nil
	}
	offsets, _, ack := read(t, u)
	require.Equal(t, []int64{0, 1, 2}, offsets)
	require.NoError(t, process(offsets))
	ack(nil)

	var failed atomic.Int32
	f.disk.Hook(func(op crashdisk.Op) error {
		if strings.HasPrefix(op.Name, "state/0000/") && (op.Verb == "write" || op.Verb == "create") && failed.Add(1) < 5 {
			return syscall.ENOSPC
		}
		return nil
	})
	offsets, _, ack = read(t, u)
	require.Equal(t, []int64{3, 4, 5}, offsets)
	require.ErrorIs(t, process(offsets), testengine.ErrNotRemembered)
	ack(nil) // An output that does not look at errors has taken the batch.

	offsets, _, ack = read(t, u)
	require.Equal(t, []int64{0, 1, 2}, offsets[:3], "nothing was synced: all of it comes again, once the disk has room")
	require.GreaterOrEqual(t, failed.Load(), int32(4))
	require.NoError(t, process(offsets))
	ack(nil)
	offsets, _, ack = read(t, u)
	require.NoError(t, process(offsets))
	ack(nil)
	table, err := store.Table(t.Context(), "counter", 0, "v1")
	require.NoError(t, err)
	count, _ := table.Cell(1)
	require.EqualValues(t, 6, count)
}
