package upload

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/stream/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/seen"
)

const (
	tableName = "uploads"
	// cutVersion changes when the same body would give other blocks or another key.
	cutVersion = 1
	// statePause is how long to wait for a partition that has to be restored.
	statePause = time.Second
)

// lanes hold what each partition of the log remembers.
type lanes struct {
	provider func(ctx context.Context) (state.Provider, error)
	window   time.Duration
	logic    string

	mu     *sync.Mutex
	tables map[int]*lane
}

// lane is one partition. It has one batch in flight; the lock only keeps a
// pipeline that is wired otherwise from corrupting it.
type lane struct {
	mu    sync.Mutex
	table *state.Table
}

func newLanes(provider func(ctx context.Context) (state.Provider, error), window time.Duration) lanes {
	return lanes{
		provider: provider, window: window,
		logic: fmt.Sprintf("uploads/%d/%s", cutVersion, window),
		mu:    new(sync.Mutex), tables: make(map[int]*lane),
	}
}

// record tells the lane of a record of the log, and whether the upload with that
// key (0: no upload) was there before. A state that cannot be written holds the
// stream: a flag on the message would let data pass that is not remembered.
func (l *lanes) record(ctx context.Context, log *service.Logger, at testengine.Position, now int64, key uint64) (bool, error) {
	for {
		duplicate, err := l.try(ctx, at, now, key)
		if err == nil {
			return duplicate, nil
		}
		log.Errorf("Remembering upload %v: %v", at, err)
		if err := pause(ctx); err != nil {
			return false, err
		}
	}
}

func (l *lanes) try(ctx context.Context, at testengine.Position, now int64, key uint64) (bool, error) {
	lane, err := l.lane(ctx, at.Partition)
	if err != nil {
		return false, err
	}
	lane.mu.Lock()
	defer lane.mu.Unlock()
	return seen.Record(lane.table, at.Offset, now, l.window.Milliseconds(), key)
}

func (l *lanes) lane(ctx context.Context, partition int) (*lane, error) {
	l.mu.Lock()
	found := l.tables[partition]
	if found == nil {
		found = new(lane)
		l.tables[partition] = found
	}
	l.mu.Unlock()

	found.mu.Lock()
	defer found.mu.Unlock()
	if found.table != nil {
		return found, nil
	}
	provider, err := l.provider(ctx)
	if err != nil {
		return nil, fmt.Errorf("opening the state: %w", err)
	}
	if found.table, err = provider.Table(ctx, tableName, partition, l.logic); err != nil {
		return nil, fmt.Errorf("opening table %s of partition %d: %w", tableName, partition, err)
	}
	return found, nil
}

func pause(ctx context.Context) error {
	timer := time.NewTimer(statePause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return errors.Join(errors.New("waiting for the state"), ctx.Err())
	case <-timer.C:
		return nil
	}
}
