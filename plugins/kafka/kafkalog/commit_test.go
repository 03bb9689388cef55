package kafkalog

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// silence lets the broker take requests of a kind and not answer them until the
// test ends. arrived has one that came.
func (k *kafka) silence(key kmsg.Key) (arrived <-chan struct{}) {
	came, over := make(chan struct{}, 1), make(chan struct{})
	k.Cleanup(func() { close(over) })
	k.cluster.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
		k.cluster.KeepControl()
		signal(came)
		k.cluster.SleepControl(func() { <-over })
		return nil, nil, false
	})
	return came
}

// teller is a state that counts how often a commit asks for its logic.
type teller struct {
	*fold
	asked atomic.Int64
}

func (t *teller) Logic(int) string { t.asked.Add(1); return "a=1" }

// unanswered is a member of the group that has done what it does not commit by
// itself, and whose first commit the broker has and does not answer.
func (k *kafka) unanswered(ctx context.Context, state *teller) *Source {
	k.Helper()
	k.commit(0, 0)
	s := k.start("a", nil, func(o *Options) {
		o.Transaction, o.Follower, o.CommitInterval = nil, state, time.Hour
	}).source
	require.Eventually(k, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.ordered[0].phase == phaseReady
	}, patience, time.Millisecond)
	arrived := k.silence(kmsg.OffsetCommit)
	s.mu.Lock()
	s.ordered[0].next = 5
	s.mu.Unlock()
	go func() { _ = s.commitDone(ctx, s.client, s.mine()) }()
	<-arrived
	return s
}

func TestNoCommitIsPutTogetherWhileAnotherIsOnItsWay(t *testing.T) {
	k := newKafka(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	state := &teller{fold: newFold()}
	s := k.unanswered(ctx, state)
	require.EqualValues(t, 1, state.asked.Load())
	over, end := context.WithCancel(t.Context())
	end()
	for name, commit := range map[string]func() error{
		"of what is done": func() error { return s.commitDone(over, s.client, s.mine()) },
		"of an intent":    func() error { return s.commitIntent(over, s.client, s.ordered[0], s.ordered[0].load, 9) },
	} {
		ended := make(chan error, 1)
		go func() { ended <- commit() }()
		require.Eventually(t, func() bool { return len(ended) > 0 || state.asked.Load() > 1 }, patience, time.Millisecond)
		require.EqualValues(t, 1, state.asked.Load(), "a commit %s knew where the lane stood before the other one had ended", name)
		require.ErrorIs(t, <-ended, context.Canceled)
	}
}

func TestPartitionsGoInTimeWhenACommitIsNotAnswered(t *testing.T) {
	k := newKafka(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := k.unanswered(ctx, &teller{fold: newFold()})
	gone := make(chan struct{})
	go func() { s.drain(t.Context(), s.client, s.mine()); close(gone) }()
	select {
	case <-gone:
	case <-time.After(patience):
		require.FailNow(t, "the drain waits for the commit before it")
	}
}

func TestACloseEndsThoughABrokerDoesNotAnswer(t *testing.T) {
	transaction := func(o *Options) { o.Transaction.Timeout = time.Second }
	for name, test := range map[string]struct {
		change func(*Options)
		silent kmsg.Key
	}{
		"the end of a transaction":     {transaction, kmsg.EndTxn},
		"the offsets of a transaction": {transaction, kmsg.TxnOffsetCommit},
		"a commit":                     {func(o *Options) { o.Transaction = nil }, kmsg.OffsetCommit},
		"an intent":                    {ranged(4), kmsg.OffsetCommit},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKafka(t)
			k.commit(0, 0)
			arrived := k.silence(test.silent)
			w := k.start("", nil, func(o *Options) {
				o.Drain = 100 * time.Millisecond
				test.change(o)
			})
			k.append(0, 0, 4)
			<-arrived
			closed := make(chan struct{})
			go func() { w.source.Close(); close(closed) }()
			select {
			case <-closed:
			case <-time.After(patience):
				require.FailNow(t, "the source does not close")
			}
		})
	}
}
