package peers

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/connect-testengine/connect-testengine/tests/bench/peers/uploads"
	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// BenchmarkKnownTests is detect_flaky with ten million tests that it has seen
// (TESTENGINE_PEERS_KNOWN, in twenty suites): the memory that it takes, and
// kill -9, start, and the first account of an upload that was sent meanwhile.
func BenchmarkKnownTests(b *testing.B) {
	known := setting("TESTENGINE_PEERS_KNOWN", 10_000_000)
	kafka, in := newCluster(b, uploads.Load{Suites: 20, Tests: known / 20, PerUpload: 1000})
	in.runs = 1
	fill(b, kafka, in)
	reader, admin := follow(b, kafka), kadm.NewClient(kafka.Client())
	data := b.TempDir()
	for b.Loop() {
		process := startLive(b, kafka, data)
		begin := time.Now()
		readAll(b, admin, in, process)
		b.ReportMetric(float64(in.executions)/time.Since(begin).Seconds(), "first_sights/s")
		reader.until(b, 35*time.Second) // A snapshot is made meanwhile.
		b.ReportMetric(resident(b, process.Pid()), "RSS_MB")
		b.ReportMetric(sample(b, process.Pid()).peak/1000, "peak_RSS_MB")

		process.Kill()
		client := producer(kafka)
		for suite, number := range uploads.Spread(in.load.Suites, partitions) {
			body, _ := in.load.Append(nil, suite, 1, 0)
			require.NoError(b, client.ProduceSync(b.Context(), in.record(number, body)).FirstErr())
		}
		killed := time.Now()
		process = startLive(b, kafka, data)
		first, last := reader.allPartitions(b, killed)
		b.ReportMetric(first.Seconds(), "first_s")
		b.ReportMetric(last.Seconds(), "every_partition_s")
		b.ReportMetric(sample(b, process.Pid()).peak/1000, "peak_RSS_after_restart_MB")
		process.Kill()
	}
}

// allPartitions waits for the first account and for the first of the last partition.
func (r *reports) allPartitions(b *testing.B, since time.Time) (first, last time.Duration) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
	defer cancel()
	found := map[int32]bool{}
	for len(found) < partitions {
		require.NoError(b, ctx.Err(), "partitions with an account: %v", found)
		for _, one := range r.next(ctx, b) {
			if one.verdict || !one.written.After(since) || found[one.partition] {
				continue
			}
			found[one.partition], last = true, one.at.Sub(since)
			if len(found) == 1 {
				first = last
			}
		}
	}
	return first, last
}

// readAll waits until everything is committed.
func readAll(b *testing.B, admin *kadm.Client, in *input, process *harness.Process) {
	b.Helper()
	process.Eventually(5*time.Minute, "it has read everything", func() bool {
		offsets, err := admin.FetchOffsets(b.Context(), "detect_flaky")
		require.NoError(b, err)
		done := int64(0)
		offsets.Each(func(o kadm.OffsetResponse) { done += o.At })
		return done >= in.uploads
	})
}

// resident is the memory of a process in MB.
func resident(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	require.NoError(b, err)
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kilobytes, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	require.NoError(b, err)
	return kilobytes / 1000
}
