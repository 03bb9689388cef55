package uploadlog

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/uploadlog/spool"
)

// newSpooled is a fixture whose clock stands where its uploads are received.
func newSpooled() *fixture {
	f := newFixture()
	f.clock = newTestClock(2000)
	return f
}

// openSpooled opens a buffer whose spool's rounds are the test's.
func openSpooled(t *testing.T, f *fixture) *uploadLog {
	t.Helper()
	u := f.open(t)
	u.spool = spool.New(10*time.Second, 0, f.lanes)
	u.spoolRound()
	return u
}

// begin appends one message and returns where its answer will come.
func begin(t *testing.T, u *uploadLog, m *service.Message) <-chan error {
	t.Helper()
	answered := make(chan error, 1)
	require.NoError(t, u.WriteBatch(t.Context(), service.MessageBatch{m}, func(_ context.Context, err error) error {
		answered <- err
		return nil
	}))
	return answered
}

func requireWaits(t *testing.T, answered <-chan error) {
	t.Helper()
	select {
	case err := <-answered:
		require.Fail(t, "it was answered", "%v", err)
	default:
	}
}

func TestAnUploadIsAnsweredWhenTheOutputHasIt(t *testing.T) {
	f := newSpooled()
	u := openSpooled(t, f)
	answered := begin(t, u, upload("a", 1))
	_, _, ack := read(t, u)
	u.spoolRound()
	requireWaits(t, answered)
	ack(errors.New("the broker is away"))
	u.spoolRound()
	requireWaits(t, answered)
	offsets, _, ack := read(t, u)
	require.Equal(t, []int64{0}, offsets)
	ack(nil)
	require.NoError(t, <-answered)
	require.Zero(t, u.spool.Spilled())
}

func TestASlowOutputCostsNobodyAnAnswer(t *testing.T) {
	f := newSpooled()
	u := openSpooled(t, f)
	first := begin(t, u, upload("a", 1))
	offsets, _, ack := read(t, u)
	require.Equal(t, []int64{0}, offsets)
	f.clock.Advance(11 * time.Second)
	u.spoolRound()
	require.NoError(t, <-first, "it is safe on disk")
	for number := 2; number < 8; number++ {
		require.NoError(t, write(t, u, upload("a", number)), "nobody waits for an output that is away")
	}
	require.NoError(t, u.houseRound())
	require.Zero(t, u.log.Cursor(0), "an answer moves no cursor")
	ack(nil)
	for next := int64(1); next < 7; {
		offsets, _, ack = read(t, u)
		require.Equal(t, next, offsets[0], "in order")
		next += int64(len(offsets))
		ack(nil)
	}
	f.clock.Advance(10 * time.Second)
	u.spoolRound()
	last := begin(t, u, upload("a", 8))
	_, _, ack = read(t, u)
	requireWaits(t, last)
	ack(nil)
	require.NoError(t, <-last)
}

func TestWhatAnUploadWaitedAtTheDoorCounts(t *testing.T) {
	u := openSpooled(t, newSpooled())
	short, long := upload("a", 1), upload("a", 2)
	short.MetaSetMut(testengine.MetaWaited, int64(9_000))
	long.MetaSetMut(testengine.MetaWaited, int64(10_000))
	waits := begin(t, u, short)
	_, batch, ack := read(t, u)
	requireWaits(t, waits)
	answered := begin(t, u, long)
	require.Eventually(t, func() bool { return len(answered) == 1 }, 10*time.Second, time.Millisecond, "it has waited long enough")
	require.NoError(t, <-answered)
	u.spoolRound()
	require.NoError(t, <-waits, "and nobody waits any longer for such an output")
	_, kept := batch[0].MetaGetMut(testengine.MetaWaited)
	require.False(t, kept, "it is for the spool alone")
	ack(nil)
}

func TestWhatTheOutputMayNotHaveComesAgainAfterAKill(t *testing.T) {
	f := newSpooled()
	u := openSpooled(t, f)
	f.clock.Advance(time.Minute)
	waiting := begin(t, u, upload("a", 1))
	_, _, ack := read(t, u)
	f.clock.Advance(11 * time.Second)
	u.spoolRound()
	require.NoError(t, <-waiting)
	require.NoError(t, write(t, u, upload("a", 2)))
	ack(nil) // The process is killed before the cursor is on disk.
	f.disk.Kill()

	u = openSpooled(t, f)
	require.NoError(t, write(t, u, upload("a", 3)), "a backlog is known from the start")
	offsets, _, ack := read(t, u)
	require.Equal(t, []int64{0, 1, 2}, offsets)
	ack(nil)
	entries, _ := u.log.Depth()
	require.Zero(t, entries)
}

func TestAnAnswerThatWaitsIsGivenWhenTheBufferCloses(t *testing.T) {
	f := newSpooled()
	u := openSpooled(t, f)
	waiting := begin(t, u, upload("a", 1))
	require.NoError(t, u.Close(t.Context()))
	require.NoError(t, <-waiting)
}

func TestAChangeOfEverySuiteIsOneRecordInFrontOfAnotherLog(t *testing.T) {
	f := newSpooled()
	f.lanes = 3
	u := openSpooled(t, f)
	change := service.NewMessage([]byte("{}"))
	change.MetaSetMut(testengine.MetaKind, string(testengine.KindChange))
	change.MetaSetMut(testengine.MetaOrg, "local")
	_ = begin(t, u, change)
	_, batch, ack := read(t, u)
	ack(nil)
	require.Len(t, batch, 1)
	require.EqualValues(t, 1, u.log.End())
}
