package kafkalog

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// failProduce fails every fifth produce request, some times.
func failProduce(count *atomic.Int64) func(kmsg.Request) (kmsg.Response, error, bool) {
	return func(request kmsg.Request) (kmsg.Response, error, bool) {
		produce, ok := request.(*kmsg.ProduceRequest)
		if n := count.Add(1); !ok || n%5 != 3 || n > 40 {
			return nil, nil, false
		}
		response := produce.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range produce.Topics {
			failed := kmsg.NewProduceResponseTopic()
			failed.Topic, failed.TopicID = topic.Topic, topic.TopicID
			for _, p := range topic.Partitions {
				one := kmsg.NewProduceResponseTopicPartition()
				one.Partition, one.ErrorCode = p.Partition, kerr.NotEnoughReplicas.Code
				failed.Partitions = append(failed.Partitions, one)
			}
			response.Topics = append(response.Topics, failed)
		}
		return response, nil, true
	}
}

func ranged(rows int64) func(*Options) {
	return func(o *Options) {
		o.Transaction = nil
		o.Ranges.Rows = rows
	}
}

// taken notes the ranges of lane 0 that a worker was given.
type taken struct {
	mu     sync.Mutex
	ranges []string
}

func (t *taken) note(b *Batch) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if b.Lane.Number == 0 {
		t.ranges = append(t.ranges, fmt.Sprintf("%d-%d has %d", b.Range.Begin, b.Range.End, len(b.Entries)))
	}
	return nil
}

func (t *taken) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.ranges...)
}

func TestRangesAreCutAndCommittedAsIntents(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	k.append(0, 0, 10)
	var got taken
	var intents []note
	k.startJudged("a", nil, func(b *Batch) error {
		found, err := kadm.NewClient(k.client).FetchOffsets(context.Background(), group)
		if err != nil {
			return err
		}
		c, _ := found.Lookup("in", 0)
		n := decodeNote(c.Metadata)
		intents = append(intents, note{Intent: n.Intent, Time: c.At})
		return got.note(b)
	}, ranged(4))
	k.eventually(10, 0)
	require.Equal(t, []string{"0-4 has 4", "4-8 has 4", "8-10 has 2"}, got.all())
	require.Equal(t, []note{{Intent: 4, Time: 0}, {Intent: 8, Time: 4}, {Intent: 10, Time: 8}}, intents)
}

// announce commits an offset of partition 0 and the range from there on.
func (k *kafka) announce(at, end int64) {
	k.Helper()
	var to kadm.Offsets
	to.Add(kadm.Offset{Topic: "in", Partition: 0, At: at, LeaderEpoch: -1, Metadata: note{Intent: end}.encode()})
	_, err := kadm.NewClient(k.client).CommitOffsets(k.Context(), group, to)
	require.NoError(k, err)
}

// withholdNames answers some questions for all offsets of a group, after the
// first ones, with a topic's id that no client finds a name for.
func (k *kafka) withholdNames(first, count int) {
	asked := 0
	k.cluster.ControlKey(kmsg.OffsetFetch.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		k.cluster.KeepControl()
		fetch := request.(*kmsg.OffsetFetchRequest)
		if len(fetch.Groups) != 1 || fetch.Groups[0].Topics != nil {
			return nil, nil, false
		}
		if asked++; asked <= first || asked > first+count {
			return nil, nil, false
		}
		topic := kmsg.NewOffsetFetchResponseGroupTopic()
		topic.TopicID = [16]byte{1}
		for partition := range int32(partitions) {
			one := kmsg.NewOffsetFetchResponseGroupTopicPartition()
			one.Partition, one.Offset = partition, 2
			topic.Partitions = append(topic.Partitions, one)
		}
		answer := kmsg.NewOffsetFetchResponseGroup()
		answer.Group, answer.Topics = group, []kmsg.OffsetFetchResponseGroupTopic{topic}
		response := fetch.ResponseKind().(*kmsg.OffsetFetchResponse)
		response.Groups = []kmsg.OffsetFetchResponseGroup{answer}
		return response, nil, true
	})
}

func TestANewOwnerDoesExactlyTheRangeThatWasAnnounced(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	k.append(0, 0, 10)
	k.announce(2, 7)
	var got taken
	k.startJudged("a", nil, got.note, ranged(4))
	k.eventually(10, 0)
	require.Equal(t, []string{"2-7 has 5", "7-10 has 3"}, got.all())
}

func TestOffsetsWithoutATopicsNameAreAskedForAgain(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	k.append(0, 0, 10)
	k.announce(2, 7)
	k.withholdNames(1, 2) // Open asks first, and then each lane.
	var got taken
	k.startJudged("a", nil, got.note, ranged(4))
	k.eventually(10, 0)
	require.Equal(t, []string{"2-7 has 5", "7-10 has 3"}, got.all())
}

func TestAGroupWhoseOffsetsHaveNoTopicsNameIsNotRefused(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	k.withholdNames(0, 1)
	_, err := Open(t.Context(), Options{Client: k.options, Group: group, Topics: []string{"in"}, Ranges: RangeLimit{Rows: 4}, Logger: logger{t}})
	require.ErrorIs(t, err, kerr.UnknownTopicID)
	require.NotErrorIs(t, err, ErrRefused)
}

func TestThePlaceBehindAnAnnouncedRangeHasTheEpochOfItsLastMarker(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	door, err := kgo.NewClient(append(k.options, kgo.TransactionalID("door"), kgo.RecordPartitioner(Placed()))...)
	require.NoError(t, err)
	t.Cleanup(door.Close)
	require.NoError(t, door.BeginTransaction())
	require.NoError(t, door.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Partition: 0, Value: []byte("0/0")}).FirstErr())
	k.cluster.ShufflePartitionLeaders()
	require.NoError(t, door.EndTransaction(t.Context(), kgo.TryCommit))
	k.announce(0, 2)
	w := k.startJudged("a", nil, nil, func(o *Options) {
		ranged(4)(o)
		o.BatchRecords = 1 // The marker comes alone.
	})
	k.eventually(2, 0)
	committed, err := w.source.stable(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, committed["in"][0].epoch, "with the record's, the next owner would hear that offset 1 was lost")
}

func TestARangeThatFailsIsHandedOutAgainWhole(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	k.append(0, 0, 6)
	var got taken
	failures := 0
	k.startJudged("a", nil, func(b *Batch) error {
		_ = got.note(b)
		if failures++; failures == 1 {
			return errJudge
		}
		return nil
	}, ranged(4))
	k.eventually(6, 0)
	require.Equal(t, []string{"0-4 has 4", "0-4 has 4", "4-6 has 2"}, got.all())
}

// store is a store with a watermark for lane 0.
type store struct {
	next  int64
	known bool
}

func (s store) Watermark(_ context.Context, _ testengine.LogIdentity, partition int) (int64, bool, error) {
	if partition > 0 {
		return 0, true, nil
	}
	return s.next, s.known, nil
}

func TestAStoreGetsWhatItLacks(t *testing.T) {
	for name, c := range map[string]struct {
		store  store
		ranges []string
	}{
		"from its watermark on":           {store{next: 3, known: true}, []string{"3-6 has 3", "6-10 has 4"}},
		"all of it, when it is new":       {store{}, []string{"0-6 has 6", "6-10 has 4"}},
		"nothing, when it has it":         {store{next: 6, known: true}, []string{"6-10 has 4"}},
		"what it drops, when it is ahead": {store{next: 8, known: true}, []string{"6-10 has 4"}},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKafka(t)
			k.commit(6, 0)
			k.append(0, 0, 10)
			var got taken
			k.startJudged("a", nil, got.note, func(o *Options) {
				ranged(4)(o)
				o.Store = c.store
			})
			k.eventually(10, 0)
			require.Equal(t, c.ranges, got.all())
		})
	}
}

func TestAStoreThatKnowsMoreThanTheLogIsRefused(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	w := k.startJudged("a", nil, nil, func(o *Options) {
		ranged(4)(o)
		o.Store = store{next: 5, known: true}
	})
	require.ErrorContains(t, w.end(), "the store is ahead of topic in partition 0")
}
