package kafkalog

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// end waits until a worker's source has ended, and returns why.
func (w *worker) end() error {
	w.Helper()
	select {
	case err := <-w.ended:
		return err
	case <-time.After(patience):
		require.FailNow(w, "the source goes on")
		return nil
	}
}

func TestARecordThatFailsAloneGoesToTheDeadLettersAndStillMovesState(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	k.append(0, 0, 9)
	state := newFold()
	k.startJudged("a", state, func(b *Batch) error {
		for _, e := range b.Entries {
			if string(e.Record.Value) == "0/4" && !b.Poison {
				return errJudge
			}
		}
		return nil
	}, nil)
	k.eventually(9, 0)
	require.Equal(t, slices.Concat(numbers(0, 0, 4), numbers(0, 5, 9)), k.read("out")[0])
	dead := k.read("dead")
	require.Equal(t, []string{"0/4"}, slices.Concat(dead[0], dead[1]))
	require.Equal(t, numbers(0, 0, 9), state.values(0))
}

func TestARecordThatCannotBeWrittenAbortsTheCycle(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	k.append(0, 0, 6)
	var w atomic.Pointer[worker]
	var broken atomic.Int64
	state := newFold()
	started := k.startJudged("a", state, func(b *Batch) error {
		if w.Load() != nil && broken.Add(1) == 1 {
			// The batch is acknowledged; that the record was not written shows later.
			large := &kgo.Record{Topic: "out", Partition: 1, Value: make([]byte, 3<<20)}
			return w.Load().transaction.Produce(b.Cycle, b.Lane.Number, large, nil)
		}
		return nil
	}, func(o *Options) { o.BatchRecords = 2 })
	w.Store(started)
	k.append(0, 6, 12)
	k.eventually(12, 0)
	require.Equal(t, numbers(0, 0, 12), k.read("out")[0])
	require.Empty(t, k.read("out")[1])
	require.Greater(t, state.restores, partitions, "the cycle is done again")
}

func TestAMemberThatJoinsTakesPartitionsOverExactly(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	k.append(0, 0, 50)
	k.append(1, 0, 50)
	slow := func(*Batch) error { time.Sleep(2 * time.Millisecond); return nil }
	small := func(o *Options) { o.BatchRecords = 3; o.Cycle = 20 * time.Millisecond }
	first, second := newFold(), newFold()
	k.startJudged("a", first, slow, small)
	k.eventually(50, 50)
	k.startJudged("b", second, slow, small)
	n := 50
	for ; len(second.values(0))+len(second.values(1)) == 0 || n < 100; n++ {
		k.append(0, n, n+1)
		k.append(1, n, n+1)
		time.Sleep(2 * time.Millisecond) // Records keep coming while the group moves.
	}
	k.eventually(int64(n), int64(n))
	require.Equal(t, [partitions][]string{numbers(0, 0, n), numbers(1, 0, n)}, k.read("out"))
	for partition := range partitions {
		whole := slices.Equal(first.values(partition), numbers(partition, 0, n)) || slices.Equal(second.values(partition), numbers(partition, 0, n))
		require.True(t, whole, "nobody has the whole state of partition %d", partition)
	}
}

func TestAZombieIsFencedAndDoesNotComeBack(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	k.append(0, 0, 5)
	zombie := k.start("a", newFold(), nil)
	k.eventually(5, 0)
	k.start("a", newFold(), nil) // The same instance, on another node.
	k.append(0, 5, 10)
	k.eventually(10, 0)
	err := zombie.end()
	require.ErrorIs(t, err, ErrRefused)
	require.ErrorContains(t, err, "another process has taken the place")
	require.Equal(t, numbers(0, 0, 10), k.read("out")[0])
}

func TestACycleThatTakesTooLongIsAbortedOnlyWhenItsBatchesAreBack(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	k.append(0, 0, 4)
	var slow atomic.Int64
	k.startJudged("a", newFold(), func(*Batch) error {
		if slow.Add(1) == 1 {
			time.Sleep(500 * time.Millisecond)
		}
		return nil
	}, func(o *Options) { o.AbortAfter = 200 * time.Millisecond })
	k.eventually(4, 0)
	require.Equal(t, numbers(0, 0, 4), k.read("out")[0])
	require.Greater(t, slow.Load(), int64(1), "the slow cycle was done again")
}

func TestOffsetsOfAnotherTopicOfThatNameAreRefused(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: "in", Partition: 1, At: 0, LeaderEpoch: -1, Metadata: note{Log: "another"}.encode()})
	_, err := kadm.NewClient(k.client).CommitOffsets(t.Context(), group, offsets)
	require.NoError(t, err)
	_, err = Open(t.Context(), Options{Client: k.options, Group: group, Topics: []string{"in"}, Logger: logger{t}})
	require.ErrorIs(t, err, ErrRefused)
	require.ErrorContains(t, err, "made anew")
}

func TestALogThatNoLongerHasWhatComesNextIsRefused(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	k.append(0, 0, 10)
	var cut kadm.Offsets
	cut.AddOffset("in", 0, 5, -1)
	_, err := kadm.NewClient(k.client).DeleteRecords(t.Context(), cut)
	require.NoError(t, err)
	w := k.start("a", newFold(), nil)
	require.ErrorContains(t, w.end(), "begins at offset 5")
}

func TestALogThatEndsBeforeTheCommittedOffsetIsRefused(t *testing.T) {
	k := newKafka(t)
	k.commit(7, 0)
	w := k.start("a", newFold(), nil)
	require.ErrorContains(t, w.end(), "ends at offset 0")
}

func TestWithoutATransactionAFailedBatchComesAgainBeforeAnythingLater(t *testing.T) {
	for name, state := range map[string]*fold{"without state": nil, "with state": newFold()} {
		t.Run(name, func(t *testing.T) {
			k := newKafka(t)
			k.commit(0, 0)
			k.append(0, 0, 30)
			var done []string
			failures := map[string]int{}
			k.startJudged("a", state, func(b *Batch) error {
				first := string(b.Entries[0].Record.Value)
				if failures[first] < 1 {
					failures[first]++
					return errJudge
				}
				for _, e := range b.Entries {
					done = append(done, string(e.Record.Value))
				}
				return nil
			}, func(o *Options) { o.Transaction = nil; o.BatchRecords = 4 })
			k.eventually(30, 0)
			require.Equal(t, numbers(0, 0, 30), done)
			if state != nil {
				require.Equal(t, numbers(0, 0, 30), state.values(0))
			}
		})
	}
}

func TestTheWriterGoesBackToTheFirstRecordThatFailed(t *testing.T) {
	k := newKafka(t)
	var fail atomic.Int64
	k.cluster.ControlKey(0, failProduce(&fail))
	client, err := kgo.NewClient(append(k.options, kgo.RecordPartitioner(Placed()), kgo.RecordRetries(0), kgo.ProducerLinger(0))...)
	require.NoError(t, err)
	defer client.Close()
	w := NewWriter(client, logger{t})
	defer w.Close()
	var wrote []*result
	for n := range 40 {
		r := &kgo.Record{Topic: "out", Partition: 0, Value: fmt.Appendf(nil, "0/%d", n)}
		one := &result{left: 1, done: make(chan struct{})}
		w.pipe("out", 0).add(&pending{record: r, result: one}) // As Write does; calls of Write in goroutines have no order.
		wrote = append(wrote, one)
		time.Sleep(time.Millisecond)
	}
	for _, one := range wrote {
		<-one.done
		require.NoError(t, one.err)
	}
	// At least once, and first sights in order.
	var first []string
	for _, value := range k.read("out")[0] {
		if !slices.Contains(first, value) {
			first = append(first, value)
		}
	}
	require.Equal(t, numbers(0, 0, 40), first)
	require.Positive(t, fail.Load())
}
