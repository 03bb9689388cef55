// Package peers measures detection beside Apache Flink: one broker, one topic of
// uploads, the same work, in one run on one machine. `make bench-peers`.
package peers

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/connect-testengine/connect-testengine/tests/bench/peers/uploads"
	"github.com/connect-testengine/connect-testengine/tests/harness"
)

func setting(name string, standard int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return standard
}

func newTopic(b *testing.B, kafka *harness.Kafka, topic string, count int32) {
	b.Helper()
	admin := kadm.NewClient(kafka.Client())
	_, _ = admin.DeleteTopic(b.Context(), topic)
	require.Eventually(b, func() bool {
		_, err := admin.CreateTopic(b.Context(), count, 1, nil, topic)
		return err == nil
	}, time.Minute, 100*time.Millisecond)
}

// BenchmarkFlink is the peer alone. TESTENGINE_PEERS_RUNS is how many runs of
// 100,000 executions the input has (60), TESTENGINE_PEERS_ROUNDS how often each
// is measured (3).
func BenchmarkFlink(b *testing.B) {
	kafka := harness.StartKafka(b, 1)
	jars := installFlink(b)
	in := &input{topic: "uploads", load: uploads.Load{Suites: 20, Tests: 5000, PerUpload: 1000}, runs: setting("TESTENGINE_PEERS_RUNS", 60)}
	newTopic(b, kafka, in.topic, partitions)
	fill(b, kafka, in)
	for b.Loop() {
		for _, v := range []variant{{"test", "jackson", "rocksdb"}, {"suite", "fastjson2", "hashmap"}} {
			ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
			newTopic(b, kafka, "verdicts", partitions)
			f := startFlink(b, jars, kafka, v, in.topic, "verdicts")
			found := f.until(ctx, in.executions)
			f.stop()
			cancel()
			b.Logf("flink %s: %s", v, found)
			require.EqualValues(b, in.load.Verdicts(in.runs), found.verdicts, "verdicts of Flink and of the oracle")
		}
	}
}
