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
	partition int32
	suite     string
	// at is when we saw it, written when a worker wrote it.
	at, written time.Time
	// lag is how long ago the door had the upload.
	lag time.Duration
	// verdict says that it is a suspicion and no account.
	verdict bool
}

func follow(b *testing.B, kafka *harness.Kafka) *reports {
	b.Helper()
	return &reports{codec: avro.NewBuiltIn(), client: kafka.Client(
		kgo.ConsumeTopics("upload_reports", "verdicts"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))}
}

func (r *reports) next(ctx context.Context, b *testing.B) []seen {
	b.Helper()
	var all []seen
	fetches := r.client.PollFetches(ctx)
	now := time.Now()
	fetches.EachRecord(func(record *kgo.Record) {
		var read testengine.Record
		require.NoError(b, r.codec.Decode(ctx, record.Value, &read))
		one := seen{partition: record.Partition, at: now, written: record.Timestamp}
		switch value := read.Value.(type) {
		case *testengine.UploadReport:
			one.suite, one.lag = value.Suite, now.Sub(time.UnixMilli(value.ReceivedAt))
		case *testengine.Verdict:
			if value.Type != testengine.FlakySuspected {
				return
			}
			one.suite, one.lag, one.verdict = value.Suite, now.Sub(time.UnixMilli(int64(value.Time))), true
		default:
			return
		}
		all = append(all, one)
	})
	return all
}

// until reads for a while and returns what it saw.
func (r *reports) until(b *testing.B, wait time.Duration) (all []seen) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), wait)
	defer cancel()
	for ctx.Err() == nil {
		all = append(all, r.next(ctx, b)...)
	}
	return all
}

// lags are the median and the 99th percentile of what passes, in milliseconds.
func lags(all []seen, pass func(seen) bool) (p50, p99 float64, n int) {
	var sorted []time.Duration
	for _, one := range all {
		if pass(one) {
			sorted = append(sorted, one.lag)
		}
	}
	if n = len(sorted); n == 0 {
		return 0, 0, 0
	}
	slices.Sort(sorted)
	return float64(sorted[n/2].Microseconds()) / 1000, float64(sorted[n*99/100].Microseconds()) / 1000, n
}

// caughtUpLag is the lag that counts as none when it lasts for 2 s.
const caughtUpLag = 500 * time.Millisecond

// recovered reads until every partition's lag is small again: from the kill to
// the first result of each partition that was written after it, and to where
// each has a small lag that lasts.
func (r *reports) recovered(b *testing.B, killed time.Time) (first, caughtUp time.Duration) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
	defer cancel()
	var firsts, good [partitions]time.Time
	for {
		require.NoError(b, ctx.Err(), "not caught up: %v, %v", firsts, good)
		for _, one := range r.next(ctx, b) {
			if one.verdict || !one.written.After(killed) {
				continue
			}
			if firsts[one.partition].IsZero() {
				firsts[one.partition] = one.at
			}
			if one.lag > caughtUpLag {
				good[one.partition] = time.Time{}
			} else if good[one.partition].IsZero() {
				good[one.partition] = one.at
			}
		}
		latest, all := time.Time{}, true
		for _, at := range good {
			all = all && !at.IsZero()
			latest = slices.MaxFunc([]time.Time{latest, at}, time.Time.Compare)
		}
		if all && time.Since(latest) > 2*time.Second {
			return slices.MaxFunc(firsts[:], time.Time.Compare).Sub(killed), latest.Sub(killed)
		}
	}
}

// newCluster makes the topics and has detect_flaky begin at their beginning.
func newCluster(b *testing.B, load uploads.Load) (*harness.Kafka, *input) {
	b.Helper()
	kafka := harness.StartKafka(b, 1)
	in := &input{topic: "uploads", load: load}
	for _, topic := range []string{"uploads", "executions", "verdicts", "runs", "upload_reports", "dead_letters"} {
		newTopic(b, kafka, topic, partitions)
	}
	offsets := kadm.Offsets{}
	for partition := range int32(partitions) {
		offsets.AddOffset(in.topic, partition, 0, -1)
	}
	require.NoError(b, kadm.NewClient(kafka.Client()).CommitAllOffsets(b.Context(), "detect_flaky", offsets))
	return kafka, in
}

func startLive(b *testing.B, kafka *harness.Kafka, data string, set ...string) *harness.Process {
	b.Helper()
	return harness.Start(b, harness.Options{
		Pipeline: detectFlaky, Data: data, Set: append(slices.Clone(rawBodies), set...), Env: []string{"TESTENGINE_BROKERS=" + kafka.Addresses},
	})
}

// BenchmarkRecovery is kill -9 under 30,000 executions/s: the same node starts
// again; another node that stands by takes over; a node that was away comes
// back. And the lag before: from the door's clock to a reader of committed records.
func BenchmarkRecovery(b *testing.B) {
	kafka, in := newCluster(b, uploads.Load{Suites: 20, Tests: 5000, PerUpload: 1000})
	live(b.Context(), b, kafka, in, perSecondLive)
	reader := follow(b, kafka)
	data := b.TempDir()
	for b.Loop() {
		process := startLive(b, kafka, data)
		reader.until(b, 15*time.Second)
		all := reader.until(b, 20*time.Second)
		p50, p99, n := lags(all, func(one seen) bool { return !one.verdict })
		require.Positive(b, n)
		b.ReportMetric(p50, "account_p50_ms")
		b.ReportMetric(p99, "account_p99_ms")
		p50, p99, n = lags(all, func(one seen) bool { return one.verdict })
		b.ReportMetric(p50, "verdict_p50_ms")
		b.ReportMetric(p99, "verdict_p99_ms")
		b.ReportMetric(float64(n), "verdicts")

		process.Kill()
		killed := time.Now()
		process = startLive(b, kafka, data)
		first, caughtUp := reader.recovered(b, killed)
		b.ReportMetric(first.Seconds(), "same_node_first_s")
		b.ReportMetric(caughtUp.Seconds(), "same_node_caught_up_s")

		standby := startLive(b, kafka, b.TempDir())
		reader.until(b, 15*time.Second)
		process.Kill()
		first, caughtUp = reader.recovered(b, time.Now())
		b.ReportMetric(first.Seconds(), "takeover_first_s")
		b.ReportMetric(caughtUp.Seconds(), "takeover_caught_up_s")

		require.Zero(b, standby.Stop(time.Minute), standby.Output())
		stopped := time.Now()
		reader.until(b, awaySeconds*time.Second)
		process = startLive(b, kafka, data)
		first, caughtUp = reader.recovered(b, stopped)
		// While it caught up it did what was missed and what came meanwhile.
		b.ReportMetric(caughtUp.Seconds()/max(0.1, (caughtUp-first).Seconds()), "catch_up_times_live")
		process.Kill()
	}
}

// awaySeconds is how long the node is away.
const awaySeconds = 20
