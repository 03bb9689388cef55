package duckdb

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// placed is a record as a batch of its own, behind everything below begin.
func placed(offset, begin int64) service.MessageBatch {
	batch := newRecord(offset, 10).messages(4)
	batch[0].MetaSetMut(testengine.MetaBatchBegin, begin)
	batch[len(batch)-1].MetaSetMut(testengine.MetaBatchEnd, offset+1)
	return batch
}

func TestABatchThatOvertakesIsRefused(t *testing.T) {
	d := openDatabase(t, testSettings(databasePath(t)))
	ctx := t.Context()
	require.ErrorIs(t, d.write(ctx, placed(7, 4)), errOvertakes, "the store has nothing yet")
	require.NoError(t, d.write(ctx, placed(3, 0)))
	require.NoError(t, d.write(ctx, placed(7, 4)), "entries in between are of other lanes")
	require.ErrorIs(t, d.write(ctx, placed(12, 10)), errOvertakes)
	require.NoError(t, d.write(ctx, placed(9, 8)))
	require.NoError(t, d.write(ctx, placed(12, 10)))
	require.NoError(t, d.write(ctx, placed(9, 8)), "a replay is dropped")
	require.EqualValues(t, 40, count(t, d, "SELECT count(*) FROM executions_fact"))
}

func TestABatchBehindOneThatFailedIsGivenBack(t *testing.T) {
	d := openDatabase(t, testSettings(databasePath(t)))
	require.NoError(t, d.write(t.Context(), placed(0, 0)))
	broken := errors.New("injected")
	fails := 2
	d.beforeCommit = func() error {
		if fails--; fails >= 0 {
			return broken
		}
		return nil
	}
	begun := make(chan int64, 9)
	d.OnReceived(func(_ int, begin int64) { begun <- begin })
	first := make(chan error, 1)
	go func() { first <- d.write(t.Context(), placed(1, 1)) }()
	require.EqualValues(t, 1, <-begun, "the lane goes on when the batch has come")
	second := d.write(t.Context(), placed(2, 2))
	require.ErrorIs(t, <-first, broken)
	require.Error(t, second, "it failed with the first, or behind it")
	d.beforeCommit = func() error { return nil }
	require.ErrorIs(t, d.write(t.Context(), placed(2, 2)), errOvertakes)
	require.NoError(t, d.write(t.Context(), placed(1, 1)))
	require.NoError(t, d.write(t.Context(), placed(2, 2)))
	require.EqualValues(t, 30, count(t, d, "SELECT count(*) FROM executions_fact"))
}

func TestABatchInPiecesHasNoPlace(t *testing.T) {
	batch := append(placed(3, 0), placed(4, 4)...)
	require.True(t, placeOf(batch).known)
	require.False(t, placeOf(batch[:3]).known)
	require.False(t, placeOf(batch[3:]).known && placeOf(batch[3:]).begin == 0)
	require.False(t, placeOf(nil).known)
}
