package kafkalog

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// standing is a source whose lanes stand at these offsets, without a group.
func standing(t *testing.T, k *kafka, at ...int64) *Source {
	t.Helper()
	s := &Source{
		options: Options{Logger: logger{t}}.withDefaults(), lanes: map[string]map[int32]*lane{"in": {}}, record: 1,
		changed: make(chan struct{}, 1), wake: make(chan struct{}, 1), committing: make(chan struct{}, 1), client: k.client, running: t.Context(), session: 1,
	}
	for partition, next := range at {
		l := newLane(Lane{Topic: "in", Partition: int32(partition), Number: partition})
		l.phase, l.next, l.polled, l.committed, l.clean = phaseReady, next, next, next, true
		s.lanes["in"][int32(partition)] = l
		s.ordered = append(s.ordered, l)
	}
	return s
}

func TestALaneThatWasRevokedWithoutAWordIsGivenUp(t *testing.T) {
	k := newKafka(t)
	s := standing(t, k, 5, 7)
	committed := map[string]map[int32]commit{"in": {0: {at: 5}, 1: {at: 9}}}
	seek, err := s.rewindLanes(k.client, committed, offsets{"in": {0: {Offset: 5}}})
	require.NoError(t, err)
	require.Equal(t, offsets{"in": {0: {Offset: 5}}}, seek)
	require.Equal(t, phaseReady, s.ordered[0].phase)
	require.Equal(t, phaseGone, s.ordered[1].phase)
}

func TestRecordsOfALaneThatIsNotReadyAreNotTaken(t *testing.T) {
	k := newKafka(t)
	s := standing(t, k, 5, 7)
	s.ordered[1].phase = phaseLoading
	require.ErrorIs(t, s.accept("in", 1, []*kgo.Record{{Offset: 7}}), errMoved)
	require.ErrorIs(t, s.accept("in", 0, []*kgo.Record{{Offset: 4}}), errMoved, "it is done already")
	require.NoError(t, s.accept("in", 0, []*kgo.Record{{Offset: 6}}), "logs have gaps")
}

func TestAMemberOfAnOldSessionIsNotHeard(t *testing.T) {
	k := newKafka(t)
	s := standing(t, k, 5)
	member{source: s, session: 0}.lost(t.Context(), k.client, map[string][]int32{"in": {0}})
	require.Equal(t, phaseReady, s.ordered[0].phase)
	member{source: s, session: 1}.lost(t.Context(), k.client, map[string][]int32{"in": {0}})
	require.Equal(t, phaseGone, s.ordered[0].phase)
}

func TestTopicsThatHaveBecomeOthersAreRefused(t *testing.T) {
	k := newKafka(t)
	s := standing(t, k, 0, 0)
	s.side, s.options.Topics, s.ordered, s.lanes = k.client, []string{"in"}, nil, map[string]map[int32]*lane{}
	require.NoError(t, s.surveyTopics(t.Context()))
	for text, was := range map[string]topic{
		"was made anew":              {id: [16]byte{1}, partitions: partitions},
		"has 2 partitions and had 1": {id: s.topics["in"].id, partitions: 1},
	} {
		s.topics["in"], s.refused = was, nil
		s.stop = func() {}
		require.NoError(t, s.measure(t.Context(), time.Now()))
		require.ErrorContains(t, s.refusal(), text)
	}
}

// lags is what an observer was told last.
type lags map[int32][2]float64

func (lags) Cycle(string, time.Duration) {}
func (lags) Tick()                       {}
func (lags) DeadLetter(string)           {}
func (lags) Restored(int64)              {}
func (l lags) Lag(lane Lane, records int64, seconds float64) {
	l[lane.Partition] = [2]float64{float64(records), seconds}
}

func TestWhoLosesALaneNoLongerSaysThatItIsBehind(t *testing.T) {
	k := newKafka(t)
	k.append(0, 0, 3)
	k.append(1, 0, 3)
	s, said := standing(t, k, 1, 3), lags{}
	s.side, s.options.Topics, s.options.Observer = k.client, []string{"in"}, said
	seen := time.Now()
	require.NoError(t, s.measure(t.Context(), seen))
	require.NoError(t, s.measure(t.Context(), seen.Add(5*time.Second)))
	require.Equal(t, lags{0: {2, 5}, 1: {0, 0}}, said)
	member{source: s, session: 1}.lost(t.Context(), k.client, map[string][]int32{"in": {0}})
	require.NoError(t, s.measure(t.Context(), seen.Add(10*time.Second)))
	require.Equal(t, lags{0: {0, 0}, 1: {0, 0}}, said)
	delete(said, 0)
	require.NoError(t, s.measure(t.Context(), seen.Add(15*time.Second)))
	require.Equal(t, lags{1: {0, 0}}, said, "of a lane that is not here nothing is said")
}

func TestACycleWaitsForABatchWhoseLaneWasLostAndCameBack(t *testing.T) {
	k := newKafka(t)
	k.commit(5, 0)
	k.append(0, 0, 6)
	s := standing(t, k, 5)
	s.side, s.options.Client, s.options.Group, s.options.Topics = k.client, k.options, group, []string{"in"}
	s.options.Transaction, s.cycle = &Transaction{}, 1
	require.NoError(t, s.accept("in", 0, []*kgo.Record{{Topic: "in", Offset: 5}}))
	batch, err := s.Read(t.Context())
	require.NoError(t, err)
	m := member{source: s, session: 1}
	m.lost(t.Context(), k.client, map[string][]int32{"in": {0}})
	_, err = m.fetched(t.Context(), map[string]map[int32]kgo.Offset{"in": {0: kgo.NewOffset().At(5)}})
	require.NoError(t, err)
	require.False(t, s.allBack(), "the batch is still out")
	batch.Done(nil)
	require.True(t, s.allBack())
	require.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.ordered[0].phase == phaseReady && s.ordered[0].next == 5
	}, patience, time.Millisecond, "what came back late does not count")
}

func TestTimeOfALaneIsTheGreatestSoFar(t *testing.T) {
	l := newLane(Lane{Topic: "in"})
	l.created = true
	for n, at := range []int64{10, 30, 20, 40} {
		l.push(&kgo.Record{Offset: int64(n), Timestamp: time.UnixMilli(at)})
	}
	var times []int64
	batch := l.take(3, 1<<20)
	for _, e := range batch.Entries {
		times = append(times, e.Time)
	}
	require.Equal(t, []int64{10, 30, 30}, times)
	l.advance(batch)
	l.drop()
	require.EqualValues(t, 30, l.time, "what was polled and not done does not count")
	require.Equal(t, note{Log: "id", Time: 30, Logic: "a=1"}, decodeNote(note{Log: "id", Time: 30, Logic: "a=1"}.encode()))
	require.Empty(t, decodeNote("a member's id"))
}

func TestATransactionOfAnotherMemberHoldsOnlyItsPartitions(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	committed := map[string]map[int32]commit{"in": {0: {at: 0}, 1: {err: kerr.UnstableOffsetCommit}}}
	s := standing(t, k, 0, 0)
	_, err := s.rewindLanes(k.client, committed, offsets{"in": {0: {}, 1: {}}})
	require.ErrorIs(t, err, kerr.UnstableOffsetCommit, "one of ours is")
	s = standing(t, k, 0)
	_, err = s.rewindLanes(k.client, committed, offsets{"in": {0: {}}})
	require.NoError(t, err)
}

func TestALaneWhoseOffsetIsGoneIsNotBroughtAnywhere(t *testing.T) {
	k := newKafka(t)
	s := standing(t, k, 0)
	s.side, s.options.Group = k.client, group
	k.append(0, 0, 5)
	require.ErrorContains(t, s.bringOnce(t.Context(), s.ordered[0], 0, 5), "no committed offset in topic in partition 0")
	require.Zero(t, s.ordered[0].next)
}

func TestWhoWasTakenInAgainAsAnotherCommitsNothing(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	s := standing(t, k, 0)
	l := s.ordered[0]
	l.next, l.committed, s.member = 5, 0, "the member that was given the lane"
	require.ErrorIs(t, s.commitDone(t.Context(), k.client, s.mine()), errReplaced)
	require.ErrorIs(t, s.breakage(), errReplaced, "the session begins again")
	require.ErrorIs(t, s.commitIntent(t.Context(), k.client, l, l.load, 9), errReplaced)
	require.Zero(t, l.committed)
}

func TestMarkersAreNothingToState(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	door, err := kgo.NewClient(append(k.options, kgo.TransactionalID("door"), kgo.RecordPartitioner(Placed()))...)
	require.NoError(t, err)
	t.Cleanup(door.Close)
	require.NoError(t, door.BeginTransaction())
	require.NoError(t, door.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Partition: 0, Value: []byte("aborted")}).FirstErr())
	require.NoError(t, door.EndTransaction(t.Context(), kgo.TryAbort))
	state := newFold()
	k.start("a", state, nil)
	k.eventually(2, 0)
	state.mu.Lock()
	require.Empty(t, state.marks[0], "a state that has taken nothing stands nowhere")
	state.mu.Unlock()
}
