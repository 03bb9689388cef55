package uploadlog

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// receivingStore tells of the batches that a test says have come.
type receivingStore struct {
	received *func(int, int64)
	next     *int64
}

func (s receivingStore) Watermark(context.Context, testengine.LogIdentity, int) (int64, bool, error) {
	return *s.next, true, nil
}

func (s receivingStore) OnReceived(received func(int, int64)) { *s.received = received }

// passingState notes how far the processors and the store are.
type passingState struct {
	*fakeState
	said *[]int64 // positive: passed, negative: acked
}

func (s passingState) Passed(_ int, next int64) { *s.said = append(*s.said, next) }

func (s passingState) Acked(lane int, next int64) {
	s.fakeState.Acked(lane, next)
	*s.said = append(*s.said, -next)
}

// pipelined is a log of one lane with that many entries, batches of three.
func pipelined(t *testing.T, entries int) (u *uploadLog, received func(int, int64), said *[]int64, next *int64) {
	t.Helper()
	f := newFixture()
	said, next = new([]int64), new(int64)
	f.store = receivingStore{&received, next}
	f.follower = passingState{&fakeState{}, said}
	u = f.open(t)
	for number := range entries {
		require.NoError(t, write(t, u, upload("a", number)))
	}
	return u, received, said, next
}

func requireNothing(t *testing.T, u *uploadLog) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := u.ReadBatch(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestTheNextBatchGoesInWhenTheStoreHasTheLastOne(t *testing.T) {
	u, received, said, _ := pipelined(t, 15)
	offsets, batch, ack0 := read(t, u)
	require.Equal(t, []int64{0, 1, 2}, offsets)
	begin, _ := message.Int(batch[0], testengine.MetaBatchBegin)
	end, _ := message.Int(batch[2], testengine.MetaBatchEnd)
	require.Equal(t, []int64{0, 3}, []int64{begin, end})
	requireNothing(t, u) // It is in the processors.
	received(0, 0)
	received(0, 0)
	offsets, _, ack3 := read(t, u)
	require.Equal(t, []int64{3, 4, 5}, offsets)
	received(0, 3)
	_, _, ack6 := read(t, u)
	received(0, 6)
	requireNothing(t, u) // Three are on their way.
	require.NoError(t, u.houseRound())

	ack3(nil)
	require.Equal(t, []int64{3, 6, 9}, *said, "acks are told in order")
	require.Zero(t, u.log.Cursor(0))
	ack0(nil)
	require.Equal(t, []int64{3, 6, 9, -3, -6}, *said)
	require.EqualValues(t, 6, u.log.Cursor(0))
	offsets, _, ack9 := read(t, u)
	require.Equal(t, []int64{9, 10, 11}, offsets)
	ack6(nil)
	requireNothing(t, u) // The last one is in the processors still.
	ack9(nil)            // A store that has said nothing of it.
	offsets, _, _ = read(t, u)
	require.Equal(t, []int64{12, 13, 14}, offsets)
}

func TestNothingGoesOnBeforeAllOfAFailedLaneIsBack(t *testing.T) {
	u, received, said, next := pipelined(t, 12)
	_, _, ack0 := read(t, u)
	received(0, 0)
	_, _, ack3 := read(t, u)
	received(0, 3)
	_, _, ack6 := read(t, u)
	ack3(errors.New("the store is away"))
	received(0, 6)
	requireNothing(t, u)
	*next = 3
	ack0(nil)
	require.Equal(t, []int64{3, 6, -3}, *said, "what was in front of the failure is done")
	requireNothing(t, u)
	ack6(nil) // Whatever became of it comes again too.
	offsets, _, ack := read(t, u)
	require.Equal(t, []int64{3, 4, 5}, offsets)
	ack(nil)
	require.EqualValues(t, 6, u.log.Cursor(0))
}

func TestTheLogKeepsWhatIsOnItsWay(t *testing.T) {
	u, received, _, _ := pipelined(t, 9)
	_, _, _ = read(t, u)
	received(0, 0)
	_, _, _ = read(t, u)
	require.EqualValues(t, 6, u.lanes[0].next)
	require.Zero(t, u.lanes[0].done)
}

func TestABatchBehindOthersIsWorthItsTransaction(t *testing.T) {
	u, received, _, _ := pipelined(t, 0)
	u.config.batch.Entries = 12
	number := 0
	more := func(entries int) {
		for range entries {
			require.NoError(t, write(t, u, upload("a", number)))
			number++
		}
	}
	more(1)
	_, _, ack0 := read(t, u)
	received(0, 0)
	more(1)
	requireNothing(t, u) // One more upload does not pay while one waits for the store.
	more(1)
	offsets, _, ack1 := read(t, u)
	require.Equal(t, []int64{1, 2}, offsets)
	received(0, 1)
	more(3)
	requireNothing(t, u)
	ack0(nil)
	offsets, _, ack3 := read(t, u)
	require.Equal(t, []int64{3, 4, 5}, offsets, "with less waiting for the store less is enough")
	received(0, 3)
	more(1)
	ack1(nil)
	requireNothing(t, u)
	ack3(nil)
	offsets, _, _ = read(t, u)
	require.Equal(t, []int64{6}, offsets, "nothing waits for more when nothing is on its way")
}
