package uploadlog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/uploadlog/disklog"
)

// fakeState follows the log as the state resource does: a number for each lane
// that processing moves, a synced one behind it.
type fakeState struct {
	mu       sync.Mutex
	restores []string
	synced   map[int]int64
	acked    map[int]int64
	due      map[int]int64
	err      error
	back     int64 // How far behind the cursor it restores.
	wait     chan struct{}
}

func (f *fakeState) Restore(ctx context.Context, _ testengine.LogIdentity, lane int, begin, cursor int64) (int64, error) {
	if f.wait != nil {
		select {
		case <-f.wait:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.restores = append(f.restores, fmt.Sprintf("lane %d from %d to %d", lane, begin, cursor))
	return max(begin, cursor-f.back), f.err
}

func (f *fakeState) NextDue(lane int) (int64, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	due, ok := f.due[lane]
	return due, ok
}

func (f *fakeState) Synced(lane int) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.synced[lane]
}

func (f *fakeState) Acked(lane int, next int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.acked == nil {
		f.acked = map[int]int64{}
	}
	f.acked[lane] = next
}

// fakeStore is a store with one watermark for all lanes.
type fakeStore struct {
	next  int64
	known bool
	err   error
}

func (f fakeStore) Watermark(context.Context, testengine.LogIdentity, int) (int64, bool, error) {
	return f.next, f.known, f.err
}

type fixture struct {
	disk  *crashdisk.Disk
	clock *testClock
	lanes int
	state *fakeState
	real  *state.Store // in the place of state
	store testengine.LogReader
	// follower is in the place of both.
	follower testengine.LogFollower
}

func newFixture() *fixture {
	return &fixture{disk: crashdisk.New(1), clock: newTestClock(1_000_000), lanes: 1}
}

// testClock stands still until a test moves it; answers are given on the log's goroutine, which reads it too.
type testClock struct{ milliseconds atomic.Int64 }

func newTestClock(milliseconds int64) *testClock {
	c := new(testClock)
	c.milliseconds.Store(milliseconds)
	return c
}

func (c *testClock) Now() time.Time          { return time.UnixMilli(c.milliseconds.Load()) }
func (c *testClock) Advance(d time.Duration) { c.milliseconds.Add(d.Milliseconds()) }

func (f *fixture) open(t *testing.T) *uploadLog {
	t.Helper()
	mgr := service.MockResources()
	u := &uploadLog{
		config: uploadLogConfig{
			path: "data/log", tickInterval: time.Hour, batch: disklog.Limit{Entries: 3, Bytes: 1 << 20},
			options: disklog.Options{Lanes: f.lanes, SegmentBytes: 32 << 10, Random: rand.NewChaCha8([32]byte{1}), MemoryBytes: 8 << 10},
		},
		now: f.clock.Now, logger: mgr.Logger(), metrics: newUploadLogMetrics(mgr.Metrics()),
		changed: make(chan struct{}, 1), lastAppend: f.clock.Now(), store: f.store,
	}
	if f.state != nil {
		u.follower = f.state
	}
	if f.real != nil {
		u.follower = f.real
	}
	if f.follower != nil {
		u.follower = f.follower
	}
	require.NoError(t, u.open(f.disk))
	t.Cleanup(func() { _ = u.Close(context.Background()) })
	return u
}

// write appends one message and returns its answer.
func write(t *testing.T, u *uploadLog, m *service.Message) error {
	t.Helper()
	answered := make(chan error, 1)
	err := u.WriteBatch(t.Context(), service.MessageBatch{m}, func(_ context.Context, err error) error {
		answered <- err
		return nil
	})
	if err != nil {
		return err
	}
	return <-answered
}

// read returns the offsets of the next batch and its ack.
func read(t *testing.T, u *uploadLog) (offsets []int64, batch service.MessageBatch, ack func(error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	batch, acked, err := u.ReadBatch(ctx)
	require.NoError(t, err)
	for _, m := range batch {
		offset, _ := message.Int(m, testengine.MetaOffset)
		offsets = append(offsets, offset)
	}
	return offsets, batch, func(err error) { require.NoError(t, acked(ctx, err)) }
}
