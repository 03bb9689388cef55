package peers

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/schema/avro"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/tests/bench/peers/uploads"
	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// perSecondLive is the live load of the comparison with Flink.
const perSecondLive = 30_000

// reports follows the accounts of uploads as a reader of committed records sees
// them: when, and how long after the door had the upload.
type reports struct {
	client *kgo.Client
	codec  testengine.RecordCodec
}

type seen struct {
	at  time.Time
	lag time.Duration
}

func follow(b *testing.B, kafka *harness.Kafka) *reports {
	b.Helper()
	return &reports{codec: avro.NewBuiltIn(), client: kafka.Client(
		kgo.ConsumeTopics("upload_reports"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))}
}

func (r *reports) next(ctx context.Context, b *testing.B) []seen {
	b.Helper()
	var all []seen
	fetches := r.client.PollFetches(ctx)
	now := time.Now()
	fetches.EachRecord(func(record *kgo.Record) {
		var read testengine.Record
		require.NoError(b, r.codec.Decode(ctx, record.Value, &read))
		if report, ok := read.Value.(*testengine.UploadReport); ok {
			all = append(all, seen{now, now.Sub(time.UnixMilli(report.ReceivedAt))})
		}
	})
	return all
}

// until reads for a while and returns the lags seen.
func (r *reports) until(b *testing.B, wait time.Duration) (lags []time.Duration) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), wait)
	defer cancel()
	for ctx.Err() == nil {
		for _, one := range r.next(ctx, b) {
			lags = append(lags, one.lag)
		}
	}
	return lags
}

// recovered reads until the lag is small again: from the kill to the first
// result, and to a lag of at most 500 ms that lasts 2 s.
func (r *reports) recovered(b *testing.B, killed time.Time) (first, caughtUp time.Duration) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
	defer cancel()
	var good time.Time
	for {
		require.NoError(b, ctx.Err(), "not caught up")
		for _, one := range r.next(ctx, b) {
			if first == 0 && one.lag < one.at.Sub(killed) {
				continue // It was written before the kill and read after it.
			}
			if first == 0 {
				first = one.at.Sub(killed)
			}
			if one.lag > 500*time.Millisecond {
				good = time.Time{}
			} else if good.IsZero() {
				good = one.at
			}
		}
		if first > 0 && !good.IsZero() && time.Since(good) > 2*time.Second {
			return first, good.Sub(killed)
		}
	}
}

func liveCluster(b *testing.B) (*harness.Kafka, *input) {
	b.Helper()
	kafka := harness.StartKafka(b, 1)
	in := &input{topic: "uploads", load: uploads.Load{Suites: 20, Tests: 5000, PerUpload: 1000}}
	for _, topic := range []string{"uploads", "executions", "verdicts", "runs", "upload_reports", "dead_letters"} {
		newTopic(b, kafka, topic, partitions)
	}
	offsets := kadm.Offsets{}
	for partition := range int32(partitions) {
		offsets.AddOffset(in.topic, partition, 0, -1)
	}
	require.NoError(b, kadm.NewClient(kafka.Client()).CommitAllOffsets(b.Context(), "detect_flaky", offsets))
	live(b.Context(), b, kafka, in, perSecondLive)
	return kafka, in
}

func startLive(b *testing.B, kafka *harness.Kafka, data string) *harness.Process {
	b.Helper()
	return harness.Start(b, harness.Options{
		Pipeline: detectFlaky, Data: data, Set: rawBodies, Env: []string{"TESTENGINE_BROKERS=" + kafka.Addresses},
	})
}

// BenchmarkRecovery is kill -9 under 30,000 executions/s: the same node starts
// again; another node that stands by takes over. And the lag before: from the
// door's clock to a reader of committed records.
func BenchmarkRecovery(b *testing.B) {
	kafka, _ := liveCluster(b)
	reader := follow(b, kafka)
	data := b.TempDir()
	for b.Loop() {
		process := startLive(b, kafka, data)
		reader.until(b, 15*time.Second)
		lags := reader.until(b, 15*time.Second)
		require.NotEmpty(b, lags)
		slices.Sort(lags)
		b.ReportMetric(float64(lags[len(lags)/2].Milliseconds()), "lag_p50_ms")
		b.ReportMetric(float64(lags[len(lags)*99/100].Milliseconds()), "lag_p99_ms")

		process.Kill()
		killed := time.Now()
		process = startLive(b, kafka, data)
		first, caughtUp := reader.recovered(b, killed)
		b.ReportMetric(first.Seconds(), "same_node_first_s")
		b.ReportMetric(caughtUp.Seconds(), "same_node_caught_up_s")

		standby := startLive(b, kafka, b.TempDir())
		reader.until(b, 15*time.Second)
		process.Kill()
		killed = time.Now()
		_, caughtUp = reader.recovered(b, killed)
		b.ReportMetric(caughtUp.Seconds(), "takeover_caught_up_s")
		standby.Kill()
	}
}
