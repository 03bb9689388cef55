package peers

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/connect-testengine/connect-testengine/tests/bench/peers/uploads"
)

// perSecondNeighbours is what the other suites send meanwhile.
const perSecondNeighbours = 15_000

// BenchmarkHotPartition is one suite whose uploads lie there in a heap (so many
// runs of 5,000 executions, TESTENGINE_PEERS_HOT_RUNS), which is one partition,
// and what that does to suites in the others that send as they go.
func BenchmarkHotPartition(b *testing.B) {
	kafka, neighbours := newCluster(b, uploads.Load{Suites: 20, Tests: 5000, PerUpload: 1000})
	hot := &input{topic: "uploads", load: uploads.Load{Suites: 1, Tests: 5000, PerUpload: 1000}, runs: setting("TESTENGINE_PEERS_HOT_RUNS", 1000)}
	fill(b, kafka, hot)
	live(b.Context(), b, kafka, neighbours, perSecondNeighbours)
	reader, admin := follow(b, kafka), kadm.NewClient(kafka.Client())
	for b.Loop() {
		process := startLive(b, kafka, b.TempDir())
		begin := hotDone(b.Context(), b, admin)
		for begin.done == 0 {
			require.Less(b, time.Since(begin.at), time.Minute, process.Output())
			begin = hotDone(b.Context(), b, admin)
		}
		reader.until(b, 2*time.Second) // The neighbours' own heap is done.
		from := hotDone(b.Context(), b, admin)
		cpu := sample(b, process.Pid()).cpu
		var during []seen
		to := from
		for to.done < hot.uploads*95/100 {
			during = append(during, reader.until(b, 200*time.Millisecond)...)
			to = hotDone(b.Context(), b, admin)
		}
		executions := float64(to.done-from.done) * float64(hot.executions) / float64(hot.uploads)
		seconds := to.at.Sub(from.at).Seconds()
		require.Greater(b, seconds, 2.0, "the heap is too small to measure")
		b.ReportMetric(executions/seconds, "hot_executions/s")
		b.ReportMetric((sample(b, process.Pid()).cpu-cpu)/1000/seconds, "cores")
		p50, p99, n := lags(during, neighbour)
		require.Positive(b, n)
		b.ReportMetric(p50, "neighbours_p50_ms")
		b.ReportMetric(p99, "neighbours_p99_ms")

		reader.until(b, 5*time.Second)
		p50, p99, _ = lags(reader.until(b, 10*time.Second), neighbour)
		b.ReportMetric(p50, "alone_p50_ms")
		b.ReportMetric(p99, "alone_p99_ms")
		process.Kill()
	}
}

// hotPartition is where the first suite of a load lies.
var hotPartition = uploads.Partition(uploads.Spread(1, partitions)[0], partitions)

// neighbour tells the accounts of suites in other partitions.
func neighbour(one seen) bool { return !one.verdict && one.partition != int32(hotPartition) }

type progress struct {
	at   time.Time
	done int64
}

// hotDone is how far the hot partition is committed.
func hotDone(ctx context.Context, b *testing.B, admin *kadm.Client) progress {
	b.Helper()
	offsets, err := admin.FetchOffsets(ctx, "detect_flaky")
	require.NoError(b, err)
	at, _ := offsets.Lookup("uploads", int32(hotPartition))
	return progress{time.Now(), at.At}
}
