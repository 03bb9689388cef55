package kafkalog

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// transact appends values to partition 0 in a transaction: a marker stands behind them.
func (k *kafka) transact(values ...string) {
	k.Helper()
	door, err := kgo.NewClient(append(k.options, kgo.TransactionalID("door"), kgo.RecordPartitioner(Placed()))...)
	require.NoError(k, err)
	defer door.Close()
	require.NoError(k, door.BeginTransaction())
	for _, value := range values {
		require.NoError(k, door.ProduceSync(k.Context(), &kgo.Record{Topic: "in", Partition: 0, Value: []byte(value)}).FirstErr())
	}
	require.NoError(k, door.EndTransaction(k.Context(), kgo.TryCommit))
}

func TestABatchIsGivenBackWithItsMarkers(t *testing.T) {
	k := newKafka(t)
	k.commit(0, 0)
	k.transact("0/0", "0/1")
	failures := 0
	k.startJudged("a", nil, func(*Batch) error {
		if failures++; failures == 1 {
			return errJudge
		}
		return nil
	}, func(o *Options) { o.Transaction = nil })
	k.eventually(3, 0)
}

func TestMarkersTakeNoRoom(t *testing.T) {
	marker := &kgo.Record{Topic: "in", Offset: 5, Key: make([]byte, 4), Value: make([]byte, 6), Attrs: kgo.NewRecordAttrs(kgo.RecordAttrsOpts{Control: true})}
	s := standing(t, newKafka(t), 5)
	require.NoError(t, s.accept("in", 0, []*kgo.Record{marker}))
	require.EqualValues(t, 6, s.ordered[0].next)
	require.Zero(t, s.buffered, "nobody gives it back")
}
