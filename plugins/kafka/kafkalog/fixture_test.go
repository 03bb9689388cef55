package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog/appendtime"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const (
	group      = "detect"
	partitions = 2
	patience   = 20 * time.Second
)

// kafka is a broker in the process, with a client for the test itself.
type kafka struct {
	*testing.T
	cluster *kfake.Cluster
	client  *kgo.Client
	options []kgo.Opt
	// letTimes says whether records keep the times of their writers.
	letTimes func(be bool)
}

func newKafka(t *testing.T) *kafka {
	t.Helper()
	k := bareKafka(t)
	require.NoError(t, appendtime.Topics(k.cluster, partitions, "in", "out", "dead"))
	k.letTimes = appendtime.Stamp(k.cluster)
	return k
}

// bareKafka is a broker without topics.
func bareKafka(t *testing.T) *kafka {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	k := &kafka{T: t, cluster: cluster, options: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...), appendtime.Reader()}}
	k.client, err = kgo.NewClient(append(k.options, kgo.RecordPartitioner(Placed()))...)
	require.NoError(t, err)
	t.Cleanup(k.client.Close)
	return k
}

// commit says where the group is to begin.
func (k *kafka) commit(offsets ...int64) {
	k.Helper()
	var to kadm.Offsets
	for partition, at := range offsets {
		to.AddOffset("in", int32(partition), at, -1)
	}
	_, err := kadm.NewClient(k.client).CommitOffsets(k.Context(), group, to)
	require.NoError(k, err)
}

func (k *kafka) committed() (at [partitions]int64) {
	k.Helper()
	found, err := kadm.NewClient(k.client).FetchOffsets(kadm.RequireStable(k.Context()), group)
	require.NoError(k, err)
	found.Each(func(o kadm.OffsetResponse) { at[o.Partition] = o.At })
	return at
}

// append writes records with values 0, 1, … to a partition.
func (k *kafka) append(partition int32, from, to int) {
	k.Helper()
	for n := from; n < to; n++ {
		r := &kgo.Record{Topic: "in", Partition: partition, Value: fmt.Appendf(nil, "%d/%d", partition, n)}
		require.NoError(k, k.client.ProduceSync(k.Context(), r).FirstErr())
	}
}

// read returns the values that a reader of committed records sees in a topic, by partition.
func (k *kafka) read(topic string) (values [partitions][]string) {
	k.Helper()
	ends, err := kadm.NewClient(k.client).ListCommittedOffsets(k.Context(), topic)
	require.NoError(k, err)
	reader, err := kgo.NewClient(append(k.options, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())...)
	require.NoError(k, err)
	defer reader.Close()
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	for len(left) > 0 {
		ctx, cancel := context.WithTimeout(k.Context(), patience)
		fetches := reader.PollFetches(ctx)
		require.NoError(k, ctx.Err())
		cancel()
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				values[r.Partition] = append(values[r.Partition], string(r.Value))
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return values
}

// fold is state: all values of a partition, in order. It follows the log in memory.
type fold struct {
	mu       sync.Mutex
	applied  map[int][]string
	next     map[int]int64 // behind the last record applied
	marks    map[int][]mark
	restores int
	due      map[int]int64
	forget   bool               // restores begin at 0
	time     map[int]int64      // T of what is applied
	times    map[string][]int64 // those that each record came with
}

type mark struct {
	next, time int64
	values     []string
}

func newFold() *fold {
	return &fold{applied: map[int][]string{}, next: map[int]int64{}, marks: map[int][]mark{}, due: map[int]int64{}, time: map[int]int64{}, times: map[string][]int64{}}
}

func (f *fold) apply(b *Batch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range b.Entries {
		f.times[string(e.Record.Value)] = append(f.times[string(e.Record.Value)], e.Time)
		f.time[b.Lane.Number] = max(f.time[b.Lane.Number], e.Time)
		if e.Record.Offset >= f.next[b.Lane.Number] {
			f.applied[b.Lane.Number] = append(f.applied[b.Lane.Number], string(e.Record.Value))
			f.next[b.Lane.Number] = e.Record.Offset + 1
		}
	}
}

func (f *fold) values(partition int) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.applied[partition])
}

func (f *fold) Restore(_ context.Context, _ testengine.LogIdentity, partition int, begin, cursor int64) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.restores++
	best := mark{}
	if !f.forget {
		for _, m := range f.marks[partition] {
			if m.next <= cursor && m.next >= best.next {
				best = m
			}
		}
	}
	if best.next < begin {
		return 0, errors.New("the log no longer has what the state needs")
	}
	f.applied[partition], f.next[partition], f.time[partition] = slices.Clone(best.values), best.next, best.time
	f.marks[partition] = slices.DeleteFunc(f.marks[partition], func(m mark) bool { return m.next > best.next })
	return best.next, nil
}

func (f *fold) NextDue(partition int) (int64, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	due, ok := f.due[partition]
	return due, ok
}

func (*fold) Synced(int) int64 { return 0 }

func (f *fold) Acked(partition int, next int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.marks[partition] = append(f.marks[partition], mark{next: next, time: f.time[partition], values: slices.Clone(f.applied[partition])})
}

func (f *fold) Time(partition int) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.time[partition]
}

// log writes to the test.
type logger struct{ t *testing.T }

func (l logger) Infof(template string, args ...any)  { l.t.Logf(template, args...) }
func (l logger) Warnf(template string, args ...any)  { l.t.Logf(template, args...) }
func (l logger) Errorf(template string, args ...any) { l.t.Logf(template, args...) }

// worker is one process: a source, what stands behind it, and an output.
type worker struct {
	*kafka
	source      *Source
	transaction *Transaction
	state       *fold
	// judge says what becomes of a batch, before its outputs are produced; nil is well.
	judge func(*Batch) error

	mu     sync.Mutex
	silent []string
	ended  chan error
}

// start opens a source and works on its batches until it ends.
func (k *kafka) start(name string, state *fold, change func(*Options)) *worker {
	k.Helper()
	return k.startJudged(name, state, nil, change)
}

func (k *kafka) startJudged(name string, state *fold, judge func(*Batch) error, change func(*Options)) *worker {
	k.Helper()
	w := &worker{kafka: k, state: state, judge: judge, ended: make(chan error, 1)}
	options := Options{
		Client: k.options, Group: group, InstanceID: name, Topics: []string{"in"}, DeadLetters: "dead",
		Cycle: 50 * time.Millisecond, TickInterval: 100 * time.Millisecond, Drain: time.Second, Logger: logger{k.T},
		Ranges: RangeLimit{Period: 50 * time.Millisecond}, CommitInterval: 50 * time.Millisecond,
		Tick: func(now int64) (*kgo.Record, error) { return &kgo.Record{Value: fmt.Appendf(nil, "tick")}, nil },
	}
	if state != nil {
		options.Follower = state
	}
	w.transaction = &Transaction{
		ID: group + "/" + name, Group: group, InstanceID: name, Timeout: 10 * time.Second, Client: k.options,
		Producer: []kgo.Opt{kgo.RecordPartitioner(Placed())},
	}
	options.Transaction = w.transaction
	if change != nil {
		change(&options)
	}
	var err error
	w.source, err = Open(k.Context(), options)
	require.NoError(k, err)
	go w.work()
	k.Cleanup(w.source.Close)
	return w
}

func (w *worker) work() {
	for {
		b, err := w.source.Read(context.Background())
		if err != nil {
			w.ended <- err
			return
		}
		go func() { b.Done(w.handle(b)) }()
	}
}

func (w *worker) handle(b *Batch) error {
	if w.state != nil {
		w.state.apply(b)
	}
	if b.Silent {
		w.mu.Lock()
		for _, e := range b.Entries {
			w.silent = append(w.silent, string(e.Record.Value))
		}
		w.mu.Unlock()
		return nil
	}
	if w.judge != nil {
		if err := w.judge(b); err != nil {
			return err
		}
	}
	for i, e := range b.Entries {
		if b.Poison {
			if err := b.DeadLetter(context.Background(), i, "failing", "it fails"); err != nil {
				return err
			}
			continue
		}
		if w.source.options.Transaction == nil {
			continue
		}
		out := &kgo.Record{Topic: "out", Partition: e.Record.Partition, Value: e.Record.Value}
		if err := w.transaction.Produce(b.Cycle, b.Lane.Number, out, nil); err != nil {
			return err
		}
	}
	return nil
}

func numbers(partition, from, to int) (values []string) {
	for n := from; n < to; n++ {
		values = append(values, fmt.Sprintf("%d/%d", partition, n))
	}
	return values
}

// eventually waits until the group has committed these offsets.
func (k *kafka) eventually(offsets ...int64) {
	k.Helper()
	deadline := time.Now().Add(patience)
	for {
		at := k.committed()
		if slices.Equal(at[:], offsets) {
			return
		}
		if time.Now().After(deadline) {
			require.FailNow(k, "not committed", "want %v, have %v", offsets, at)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
