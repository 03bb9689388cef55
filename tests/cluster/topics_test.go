package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/tests/harness"
)

func TestTopicsAreCreatedOnARealBrokerAndStaySoOnASecondTry(t *testing.T) {
	kafka := harness.StartKafka(t, 1)
	require.Contains(t, kafka.CreateTopics(3), "topic uploads made: 3 partitions, 1 replicas")

	again := kafka.CreateTopics(3)
	require.NotContains(t, again, "made")
	require.NotContains(t, again, "note:", "the broker of our tests sweeps dead transactions every second")

	client := kafka.Client()
	sent := &kgo.Record{Topic: "uploads", Partition: 0, Key: []byte("acme/api"), Value: []byte("{}")}
	require.NoError(t, client.ProduceSync(t.Context(), sent).FirstErr())
	var read []string
	kafka.Read("uploads", func(r *kgo.Record) { read = append(read, string(r.Key)) })
	require.Equal(t, []string{"acme/api"}, read)

	kafka.Kill(1)
	kafka.Restart(1)
	read = nil
	kafka.Read("uploads", func(r *kgo.Record) { read = append(read, string(r.Key)) })
	require.Equal(t, []string{"acme/api"}, read, "what a broker acknowledged survives its death")
}
