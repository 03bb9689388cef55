package kafkalog

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestACommitCarriesOutputsAndOffsets(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	k.append(0, 0, 20)
	k.append(1, 0, 10)
	k.start("a", newFold(), nil)
	k.eventually(20, 10)
	require.Equal(t, [partitions][]string{numbers(0, 0, 20), numbers(1, 0, 10)}, k.read("out"))
}

func TestAnAbortThrowsOutputsAwayAndDoesThemAgain(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	k.append(0, 0, 20)
	state := newFold()
	var failed atomic.Int64
	// The third batch of a cycle fails, after the outputs of the first two.
	k.startJudged("a", state, func(b *Batch) error {
		if b.Entries[0].Record.Offset >= 10 && failed.Add(1) <= 2 {
			return errJudge
		}
		return nil
	}, func(o *Options) { o.BatchRecords = 5 })
	k.eventually(20, 0)
	require.Greater(t, state.restores, 2)
	require.Equal(t, numbers(0, 0, 20), k.read("out")[0])
	require.Equal(t, numbers(0, 0, 20), state.values(0))
}

func TestARestartRestoresToTheCommittedOffsetAndReplaysSilently(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	k.append(0, 0, 10)
	first := k.start("a", newFold(), nil)
	k.eventually(10, 0)
	closing := time.Now()
	first.source.Close()
	t.Log("closed after", time.Since(closing))

	k.append(0, 10, 15)
	lost := newFold() // Another node: it has no files.
	second := k.start("a", lost, nil)
	t.Log("opened after", time.Since(closing))
	k.eventually(15, 0)
	t.Log("done after", time.Since(closing))
	require.Equal(t, numbers(0, 0, 15), lost.values(0))
	require.Equal(t, numbers(0, 0, 10), second.silent)
	require.Equal(t, numbers(0, 0, 15), k.read("out")[0])
}

func TestALateBatchOfAnOldCycleIsRefused(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	k.append(0, 0, 1)
	w := k.start("a", nil, nil)
	k.eventually(1, 0)
	err := w.transaction.Produce(1, 0, &kgo.Record{Topic: "out", Value: []byte("late")}, nil)
	require.ErrorIs(t, err, ErrLateBatch)
	require.Equal(t, numbers(0, 0, 1), k.read("out")[0])
}

func TestAGroupThatBeginsNowhereIsRefused(t *testing.T) {
	k := newKafka(t)
	_, err := Open(t.Context(), Options{Client: k.options, Group: group, Topics: []string{"in"}, Logger: logger{t}})
	require.ErrorIs(t, err, ErrRefused)
	require.ErrorContains(t, err, "topics create")
}

func TestAnUnknownTopicIsRefused(t *testing.T) {
	k := newKafka(t)
	_, err := Open(t.Context(), Options{Client: k.options, Group: group, Topics: []string{"nowhere"}, Logger: logger{t}})
	require.ErrorIs(t, err, ErrRefused)
	require.ErrorContains(t, err, "topic nowhere does not exist")
}

var errJudge = errors.New("it fails")

func TestTicksAreAppendedWhenATimerIsDue(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	state := newFold()
	state.due[1] = time.Now().UnixMilli()
	k.start("a", state, nil)
	require.Eventually(t, func() bool { return len(state.values(1)) > 0 }, patience, 10*time.Millisecond)
	require.Equal(t, "tick", state.values(1)[0])
	require.Empty(t, state.values(0))
}
