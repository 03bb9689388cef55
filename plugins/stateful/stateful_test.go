package stateful

import (
	"bytes"
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/refusal"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// cache is a lane's derived memory: it puts one cell when its record closes.
type cache struct {
	table  *state.Table
	added  uint64
	opened int
}

func newTestLanes(t *testing.T) (*Lanes[*cache], *state.Store) {
	store, err := state.Open(crashdisk.New(1), state.Options{Dir: "state"})
	require.NoError(t, err)
	_, err = store.Restore(t.Context(), testengine.LogIdentity{ID: "log", Partitions: 1}, 0, 0, 0)
	require.NoError(t, err)
	l := New(service.MockResources(), Memory[*cache]{
		Table: "cache", Logic: "v1",
		Make:    func(table *state.Table) *cache { return &cache{table: table} },
		Opened:  func(c *cache, _ int64) { c.opened++ },
		Closing: func(c *cache) { c.table.SetCell(1, c.added) },
	})
	l.provider = func(context.Context) (state.Provider, error) { return store, nil }
	return l, store
}

func at(offset, cycle int64) *service.Message {
	m := service.NewMessage(nil)
	m.MetaSetMut(testengine.MetaPartition, int64(0))
	m.MetaSetMut(testengine.MetaOffset, offset)
	if cycle != 0 {
		m.MetaSetMut(testengine.MetaCycle, cycle)
	}
	return m
}

func add(t *testing.T, l *Lanes[*cache], m *service.Message) error {
	return l.Take(t.Context(), m, 1000, func(r *Record[*cache]) error {
		if !r.Applied {
			r.Lane.added++
		}
		return nil
	})
}

func TestMessagesOfOneRecordShareItsOpening(t *testing.T) {
	l, _ := newTestLanes(t)
	for _, offset := range []int64{0, 0, 0, 1} {
		require.NoError(t, add(t, l, at(offset, 0)))
	}
	require.NoError(t, l.Take(t.Context(), at(1, 0), 1000, func(r *Record[*cache]) error {
		require.False(t, r.Opened)
		require.Equal(t, 2, r.Lane.opened)
		cell, _ := r.Table.Cell(1)
		require.EqualValues(t, 3, cell, "the record before was closed when this one began")
		return r.End()
	}))
	require.NoError(t, l.Take(t.Context(), at(0, 0), 1000, func(r *Record[*cache]) error {
		require.True(t, r.Applied, "a record that comes again is told")
		return r.End()
	}))
}

func TestAProcessorThatDiesSaysOfWhichRecord(t *testing.T) {
	l, _ := newTestLanes(t)
	var said bytes.Buffer
	l.log = service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(&said, nil)))
	require.PanicsWithValue(t, "no such test", func() {
		_ = l.Take(t.Context(), at(7, 0), 1000, func(*Record[*cache]) error { panic("no such test") })
	})
	require.Contains(t, said.String(), "cache died of log ")
	require.Contains(t, said.String(), "offset 7")
}

func TestWhatIsDerivedIsMadeAnewAfterARollBack(t *testing.T) {
	l, store := newTestLanes(t)
	require.NoError(t, add(t, l, at(0, 0)))
	store.Acked(0, 1)
	require.NoError(t, add(t, l, at(1, 0)))
	next, err := store.RollBack(t.Context(), 0, 1)
	require.NoError(t, err)
	require.EqualValues(t, 1, next)
	require.NoError(t, l.Take(t.Context(), at(1, 0), 1000, func(r *Record[*cache]) error {
		require.False(t, r.Applied)
		require.Zero(t, r.Lane.added)
		cell, _ := r.Table.Cell(1)
		require.EqualValues(t, 1, cell, "the acknowledgement closed the record before, with what was cached")
		return r.End()
	}))
}

func TestABatchOfAnotherCycleIsRefused(t *testing.T) {
	l, store := newTestLanes(t)
	store.OpenCycle(0, 7)
	require.NoError(t, add(t, l, at(0, 7)))
	for name, m := range map[string]*service.Message{
		"an earlier cycle": at(1, 6), "a later cycle": at(1, 8), "no cycle": at(1, 0),
	} {
		require.ErrorIs(t, add(t, l, m), state.ErrCycle, name)
	}
	require.NoError(t, add(t, l, at(1, 7)), "the others have changed nothing")

	t.Run("even when it was opened before the cycle ended", func(t *testing.T) {
		require.ErrorIs(t, l.Take(t.Context(), at(2, 7), 1000, func(r *Record[*cache]) error {
			store.OpenCycle(0, 8)
			return r.End()
		}), state.ErrCycle)
	})
}

func TestAStateThatIsNotInTheConfigurationEndsTheStream(t *testing.T) {
	l := New(service.MockResources(), Memory[*cache]{Label: "nowhere", Table: "cache", Logic: "v1"})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-refusal.Refusals()
		cancel() // as the process would
	}()
	err := l.Take(ctx, at(0, 0), 1000, func(*Record[*cache]) error { return nil })
	require.ErrorIs(t, err, context.Canceled)
}
