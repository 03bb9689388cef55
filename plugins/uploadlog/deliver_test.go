package uploadlog

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/uploadlog/disklog"
)

func TestABatchThatFailsComesAgainAfterTheStateWentBack(t *testing.T) {
	f := newFixture()
	f.state = &fakeState{}
	u := f.open(t)
	for number := range 5 {
		require.NoError(t, write(t, u, upload("a", number)))
	}
	offsets, _, ack := read(t, u)
	require.Equal(t, []int64{0, 1, 2}, offsets)
	ack(nil)
	offsets, _, ack = read(t, u)
	require.Equal(t, []int64{3, 4}, offsets)
	f.state.mu.Lock()
	require.Equal(t, int64(3), f.state.acked[0])
	f.state.back = 2
	f.state.mu.Unlock()
	ack(errors.New("the store is away"))
	offsets, batch, ack := read(t, u)
	require.Equal(t, []int64{1, 2, 3}, offsets, "from where the state stands")
	body, err := batch[0].AsBytes()
	require.NoError(t, err)
	require.Equal(t, "a-1", string(body))
	ack(nil)
	offsets, _, ack = read(t, u)
	require.Equal(t, []int64{4}, offsets)
	ack(nil)
	require.Equal(t, []string{"lane 0 from 0 to 0", "lane 0 from 0 to 3"}, f.state.restores)
	entries, _ := u.log.Depth()
	require.Zero(t, entries)
}

func TestTheDoorIsAnsweredWhileTheStateRestores(t *testing.T) {
	f := newFixture()
	f.state = &fakeState{wait: make(chan struct{})}
	u := f.open(t)
	require.NoError(t, write(t, u, upload("a", 1)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := u.ReadBatch(ctx)
	require.ErrorIs(t, err, context.Canceled)
	close(f.state.wait)
	offsets, _, _ := read(t, u)
	require.Equal(t, []int64{0}, offsets)
}

func TestOnlyOneBatchOfALaneIsOnItsWay(t *testing.T) {
	f := newFixture()
	f.lanes = 4
	u := f.open(t)
	for number := range 40 {
		require.NoError(t, write(t, u, upload(fmt.Sprint("suite", number%8), number)))
	}
	lanes := map[int64]bool{}
	var acks []func(error)
	for range len(lanesOf(u, 8)) {
		_, batch, ack := read(t, u)
		lane, _ := message.Int(batch[0], testengine.MetaPartition)
		require.False(t, lanes[lane])
		lanes[lane] = true
		acks = append(acks, ack)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := u.ReadBatch(ctx)
	require.ErrorIs(t, err, context.Canceled)
	acks[0](nil)
	_, _, _ = read(t, u)
}

func lanesOf(u *uploadLog, suites int) map[int]bool {
	lanes := map[int]bool{}
	for number := range suites {
		lanes[u.log.LaneOf(testengine.SuiteSeed("local", fmt.Sprint("suite", number)))] = true
	}
	return lanes
}

func TestWhereALaneBegins(t *testing.T) {
	for _, test := range []struct {
		name    string
		store   fakeStore
		state   *fakeState
		offsets []int64
		silent  int // of them the store has
		refusal string
	}{
		{"without store and state at the cursor", fakeStore{next: 6, known: true}, nil, []int64{6, 7, 8}, 0, ""},
		{"a store that lacks something gets it again", fakeStore{next: 4, known: true}, nil, []int64{4, 5, 6}, 0, ""},
		{"a new store gets everything", fakeStore{}, nil, []int64{0, 1, 2}, 0, ""},
		{"a store that is further does not move the cursor", fakeStore{next: 8, known: true}, nil, []int64{6, 7, 8}, 2, ""},
		{"a state behind the cursor is brought up", fakeStore{next: 6, known: true}, &fakeState{back: 5}, []int64{1, 2, 3}, 3, ""},
		{"a store ahead of the log", fakeStore{next: 80, known: true}, nil, nil, 0, "the store is ahead of the upload log"},
		{"another log's store", fakeStore{err: errors.New("the store belongs to log_x")}, nil, nil, 0, "the store belongs to log_x"},
		{"another log's state", fakeStore{next: 6, known: true}, &fakeState{err: errors.New("the state belongs to log_x")}, nil, 0, "the state belongs to log_x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture()
			u := f.open(t)
			for number := range 9 {
				require.NoError(t, write(t, u, upload("a", number)))
			}
			for range 2 {
				_, _, ack := read(t, u)
				ack(nil)
			}
			require.NoError(t, u.Close(t.Context()))
			f.store, f.state = test.store, test.state
			u = f.open(t)
			if test.refusal != "" {
				_, _, err := u.ReadBatch(t.Context())
				require.ErrorIs(t, err, service.ErrEndOfBuffer, "the stream ends")
				require.ErrorContains(t, write(t, u, upload("a", 10)), test.refusal)
				return
			}
			offsets, batch, _ := read(t, u)
			require.Equal(t, test.offsets, offsets)
			for n, m := range batch {
				require.Equal(t, n < test.silent, message.Silent(m))
			}
		})
	}
}

func TestAStoreBehindTheLogsBeginningIsRefused(t *testing.T) {
	f := newFixture()
	u := f.open(t)
	for number := range 60 {
		m := upload("a", number)
		m.SetBytes(make([]byte, 3000))
		require.NoError(t, write(t, u, m))
	}
	for done := 0; done < 60; {
		offsets, _, ack := read(t, u)
		ack(nil)
		done += len(offsets)
	}
	require.NoError(t, u.houseRound())
	require.Positive(t, u.log.Begin(0))
	require.NoError(t, u.Close(t.Context()))
	for _, store := range []fakeStore{{next: 1, known: true}, {}} {
		f.store = store
		u = f.open(t)
		_, _, err := u.ReadBatch(t.Context())
		require.ErrorIs(t, err, service.ErrEndOfBuffer)
		require.ErrorContains(t, write(t, u, upload("a", 100)), "the store is behind the upload log")
		require.NoError(t, u.Close(t.Context()))
	}
}

func TestTheLogKeepsWhatTheStateHasNotSynced(t *testing.T) {
	f := newFixture()
	f.state = &fakeState{synced: map[int]int64{}}
	u := f.open(t)
	for number := range 60 {
		m := upload("a", number)
		m.SetBytes(make([]byte, 3000))
		require.NoError(t, write(t, u, m))
	}
	for done := 0; done < 60; {
		offsets, _, ack := read(t, u)
		ack(nil)
		done += len(offsets)
	}
	require.NoError(t, u.houseRound())
	require.Zero(t, u.log.Begin(0), "the cursor is at the end, the state's files are not")
	f.state.mu.Lock()
	f.state.synced[0] = 30
	f.state.mu.Unlock()
	require.NoError(t, u.houseRound())
	require.Positive(t, u.log.Begin(0))
	require.LessOrEqual(t, u.log.Begin(0), int64(30))
}

func TestTicks(t *testing.T) {
	f := newFixture()
	f.state = &fakeState{due: map[int]int64{0: 2000}}
	u := f.open(t)
	require.NoError(t, write(t, u, upload("a", 500))) // T is 1500.
	require.NoError(t, u.houseRound())
	_, _, ack := read(t, u)
	require.EqualValues(t, 1, u.log.End(), "a lane that has work gets no tick")
	ack(nil)
	require.NoError(t, u.houseRound())
	require.EqualValues(t, 1, u.log.End(), "while uploads come in the log's own time decides")
	f.clock.Advance(6 * time.Hour)
	require.NoError(t, u.houseRound())
	offsets, batch, ack := read(t, u)
	require.Equal(t, []int64{1}, offsets)
	require.Equal(t, testengine.KindTick, message.Kind(batch[0]))
	logTime, _ := message.Int(batch[0], testengine.MetaLogTime)
	require.Equal(t, f.clock.Now().UnixMilli(), logTime)
	require.NoError(t, u.houseRound())
	require.EqualValues(t, 2, u.log.End(), "one at a time")
	f.state.mu.Lock()
	delete(f.state.due, 0)
	f.state.mu.Unlock()
	ack(nil)
	require.NoError(t, u.houseRound())
	require.EqualValues(t, 2, u.log.End(), "nothing is due")
}

func TestReceivedAt(t *testing.T) {
	f := newFixture()
	u := f.open(t)
	without, future := upload("a", 1), upload("a", 2)
	without.MetaDelete(testengine.MetaReceivedAt)
	future.MetaSetMut(testengine.MetaReceivedAt, f.clock.Now().Add(time.Hour).UnixMilli())
	require.NoError(t, write(t, u, without))
	require.NoError(t, write(t, u, future))
	_, batch, _ := read(t, u)
	for _, m := range batch {
		received, _ := message.Int(m, testengine.MetaReceivedAt)
		require.Equal(t, f.clock.Now().UnixMilli(), received, "time that has not come yet is now")
	}
}

func TestMetadataComesBackAsItWas(t *testing.T) {
	f := newFixture()
	u := f.open(t)
	m := upload("a", 1)
	m.MetaSetMut("size", 12)
	m.MetaSetMut("content_encoding", "gzip")
	m.MetaSetMut(testengine.MetaLogID, "forged")
	require.NoError(t, write(t, u, m))
	_, batch, _ := read(t, u)
	got := map[string]any{}
	require.NoError(t, batch[0].MetaWalkMut(func(key string, value any) error {
		got[key] = value
		return nil
	}))
	require.Equal(t, map[string]any{
		"testengine_kind": "upload", "org": "local", "suite": "a", "upload_id": "up_a_1", "received_at": int64(1001),
		"size": int64(12), "content_encoding": "gzip",
		"log_id": u.log.Identity().ID, "partition": int64(0), "offset": int64(0), "log_time": int64(1001),
	}, got)
}

func TestAnErrorOfTheDiskIsTheDoorsRefusal(t *testing.T) {
	f := newFixture()
	u := f.open(t)
	f.disk.FailSync(syscall.EIO)
	require.ErrorIs(t, write(t, u, upload("a", 1)), disklog.ErrFailed)
	f.disk.FailSync(nil)
	require.ErrorIs(t, write(t, u, upload("a", 1)), disklog.ErrFailed)
}

func TestStopIsAtOnceAndDrainIsNot(t *testing.T) {
	for _, drain := range []bool{false, true} {
		t.Run(fmt.Sprint("drain ", drain), func(t *testing.T) {
			f := newFixture()
			u := f.open(t)
			u.config.drain = drain
			for number := range 5 {
				require.NoError(t, write(t, u, upload("a", number)))
			}
			u.EndOfInput()
			for range 2 {
				if !drain {
					break
				}
				_, _, ack := read(t, u)
				ack(nil)
			}
			_, _, err := u.ReadBatch(t.Context())
			require.ErrorIs(t, err, service.ErrEndOfBuffer)
		})
	}
}

func TestBothSpecsParseTheirExamples(t *testing.T) {
	env := service.NewEnvironment()
	conf, err := uploadLogSpec().ParseYAML("path: ./log", env)
	require.NoError(t, err)
	c, err := uploadLogFromParsed(conf)
	require.NoError(t, err)
	require.EqualValues(t, 256_000_000, c.options.SegmentBytes)
	require.EqualValues(t, 64_000_000_000, c.options.MaxBytes)
	conf, err = uploadLogSpec().ParseYAML("{path: ./log, max_bytes: 300MB}", env)
	require.NoError(t, err)
	_, err = uploadLogFromParsed(conf)
	require.ErrorContains(t, err, "must be at least twice segment_bytes")
	conf, err = uploadLogInputSpec().ParseYAML("path: ./log", env)
	require.NoError(t, err)
	_, err = uploadLogInputFromParsed(conf)
	require.NoError(t, err)
}
