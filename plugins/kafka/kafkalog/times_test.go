package kafkalog

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog/appendtime"
)

// newCreatedKafka is a broker whose topics have the times of their writers.
func newCreatedKafka(t *testing.T, ahead time.Duration) *kafka {
	t.Helper()
	k := bareKafka(t)
	for _, topic := range []string{"in", "out", "dead"} {
		require.NoError(t, k.cluster.CreateTopic(topic, partitions, nil))
	}
	appendtime.Created(k.cluster, "in", ahead)
	return k
}

// appendAt writes a record with its writer's time to partition 0.
func (k *kafka) appendAt(value string, milliseconds int64) {
	k.Helper()
	r := &kgo.Record{Topic: "in", Partition: 0, Value: []byte(value), Timestamp: time.UnixMilli(milliseconds)}
	require.NoError(k, k.client.ProduceSync(k.Context(), r).FirstErr())
}

// nanoseconds is a time in milliseconds whose writer meant nanoseconds.
const nanoseconds = 1_764_000_000_000_000_000 / 1000

func created(o *Options) { o.CreatedTimes = true }

func TestATimeOfItsWriterDoesNotMoveTheTimeOfState(t *testing.T) {
	t.Run("a topic that has such times is refused before its first record", func(t *testing.T) {
		k := newCreatedKafka(t, time.Hour)
		k.commit(0, 0)
		_, err := Open(t.Context(), Options{Client: k.options, Group: group, Topics: []string{"in"}, Follower: newFold(), Logger: logger{t}})
		require.ErrorIs(t, err, ErrRefused)
		require.ErrorContains(t, err, "topic in has message.timestamp.type=CreateTime")
	})
	t.Run("a record that has one is refused, whatever the topic says", func(t *testing.T) {
		k := newKafka(t)
		k.commit(0, 0)
		k.append(0, 0, 1)
		k.letTimes(true)
		k.appendAt("0/1", nanoseconds)
		k.letTimes(false)
		state := newFold()
		require.ErrorContains(t, k.start("a", state, nil).end(), "partition 0: record 1 has the time that its writer gave it")
		require.NotContains(t, state.values(0), "0/1")

		k.commit(2, 0)
		require.ErrorContains(t, k.start("b", state, nil).end(), "partition 0: record 1 has the time that its writer gave it", "a replay sees it too")
		require.NotContains(t, state.values(0), "0/1")
	})
	t.Run("brokers that bound no writer are refused", func(t *testing.T) {
		for _, ahead := range []time.Duration{25 * time.Hour, 1<<63 - 1} {
			k := newCreatedKafka(t, ahead)
			k.commit(0, 0)
			_, err := Open(t.Context(), Options{Client: k.options, Group: group, Topics: []string{"in"}, Follower: newFold(), CreatedTimes: true, Logger: logger{t}})
			require.ErrorIs(t, err, ErrRefused)
			require.ErrorContains(t, err, "set message.timestamp.after.max.ms")
		}
	})
	t.Run("those that do are believed", func(t *testing.T) {
		k := newCreatedKafka(t, time.Hour)
		k.commit(0, 0)
		k.appendAt("0/0", 10)
		state := newFold()
		k.start("a", state, created)
		k.eventually(1, 0)
		require.Equal(t, numbers(0, 0, 1), state.values(0))
	})
}

func TestWithoutStateARecordHasItsOwnTimeAndMovesNothing(t *testing.T) {
	l := newLane(Lane{Topic: "in"})
	appended := kgo.NewRecordAttrs(kgo.RecordAttrsOpts{TimestampType: 1})
	for n, r := range []*kgo.Record{
		{Timestamp: time.UnixMilli(10), Attrs: appended},
		{Timestamp: time.UnixMilli(nanoseconds)},
		{Timestamp: time.UnixMilli(5)},
		{Timestamp: time.UnixMilli(20), Attrs: appended},
	} {
		r.Offset = int64(n)
		l.push(r)
	}
	var times []int64
	for _, e := range l.queue {
		times = append(times, e.Time)
	}
	require.Equal(t, []int64{10, nanoseconds, 10, 20}, times)
	require.EqualValues(t, 20, l.time)
}

// TestAReplaySeesTheTimesOfTheFirstTime has state that stands between a record
// and an older one, as a broker's clock may have stamped them.
func TestAReplaySeesTheTimesOfTheFirstTime(t *testing.T) {
	for name, forget := range map[string]bool{"from a snapshot on": false, "from the log's beginning on": true} {
		t.Run(name, func(t *testing.T) {
			k := newCreatedKafka(t, time.Hour)
			k.commit(0, 0)
			k.appendAt("late", 3000)
			state := newFold()
			first := k.start("a", state, created)
			k.eventually(1, 0)
			first.source.Close()
			k.appendAt("early", 1000)
			k.appendAt("middle", 2000)
			second := k.start("a", state, created)
			k.eventually(3, 0)
			second.source.Close()
			state.marks[0] = state.marks[0][:1] // Only the first snapshot is left.
			state.forget = forget
			k.start("a", state, created)
			k.appendAt("end", 2500)
			k.eventually(4, 0)
			for value, times := range state.times {
				require.Equal(t, slices.Repeat([]int64{3000}, len(times)), times, "each time that %s comes", value)
			}
			require.Greater(t, len(state.times["early"]), 1, "it came again")
		})
	}
}

func TestARangeThatIsDoneAgainHasItsTimes(t *testing.T) {
	k := newCreatedKafka(t, time.Hour)
	k.appendAt("late", 3000)
	k.appendAt("early", 1000)
	k.appendAt("middle", 2000)
	var announced kadm.Offsets
	announced.Add(kadm.Offset{Topic: "in", Partition: 0, At: 1, LeaderEpoch: -1, Metadata: note{Time: 3000, Intent: 3}.encode()})
	announced.AddOffset("in", 1, 0, -1)
	_, err := kadm.NewClient(k.client).CommitOffsets(t.Context(), group, announced)
	require.NoError(t, err)
	times := make(chan int64, 2)
	k.startJudged("a", nil, func(b *Batch) error {
		for _, e := range b.Entries {
			times <- e.Time
		}
		return nil
	}, func(o *Options) { o.Transaction, o.Ranges.Rows, o.CreatedTimes = nil, 100, true })
	require.Equal(t, []int64{3000, 3000}, []int64{<-times, <-times})
}

func TestACommitTellsTheTimeOfItsOwnPlaceAndOfThoseBehind(t *testing.T) {
	c := commit{at: 29, note: note{Time: 4913}}
	for offset, want := range map[int64]int64{28: 0, 29: 4913, 30: 4913} {
		require.Equal(t, want, c.timeAt(offset), offset)
	}
}
