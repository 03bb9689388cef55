package peers

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/connect-testengine/connect-testengine/tests/bench/peers/uploads"
)

var usual = uploads.Load{Suites: 20, Tests: 5000, PerUpload: 1000}

// BenchmarkOurs is the job of BenchmarkBesideFlink and all of detect_flaky,
// without Flink, in turns: what the broker takes beside them is seen too.
func BenchmarkOurs(b *testing.B) {
	c := newContest(b, usual, setting("TESTENGINE_PEERS_RUNS", 80))
	for b.Loop() {
		for range setting("TESTENGINE_PEERS_ROUNDS", 3) {
			c.ours(b, "ours", verdictsOnly)
			c.ours(b, "ours, all of detect_flaky", detectFlaky, rawBodies...)
		}
		c.report(b, "ours")
	}
}

// BenchmarkTransactions is all of detect_flaky with its transactions, and the same without.
func BenchmarkTransactions(b *testing.B) {
	c := newContest(b, usual, setting("TESTENGINE_PEERS_RUNS", 60))
	brokers := `seed_brokers=["` + c.kafka.Addresses + `"]`
	off := append(slices.Clone(rawBodies), `input.kafka_stateful.transaction=""`, "input.kafka_stateful."+brokers,
		`output.kafka_blocks.transaction=""`, "output.kafka_blocks."+brokers,
		"input.kafka_stateful.commit_interval=100ms") // What is committed is what is measured.
	for b.Loop() {
		for range setting("TESTENGINE_PEERS_ROUNDS", 5) {
			c.ours(b, "on", detectFlaky, rawBodies...)
			c.ours(b, "off", detectFlaky, off...)
		}
		c.report(b, "on")
	}
}

// snapshotWindows is how many times the interval of snapshots is measured.
const snapshotWindows = 7

// BenchmarkSnapshots is two processes that read the same uploads as they come,
// one with its snapshots every 30 s and one with none: the CPU of each in every
// 30 s (TESTENGINE_PEERS_SNAPSHOT_SECONDS).
func BenchmarkSnapshots(b *testing.B) {
	kafka, in := newCluster(b, usual)
	every := time.Duration(setting("TESTENGINE_PEERS_SNAPSHOT_SECONDS", 30)) * time.Second
	live(b.Context(), b, kafka, in, float64(setting("TESTENGINE_PEERS_SNAPSHOT_RATE", 200_000)))
	for b.Loop() {
		var both [2]*worker
		for i, interval := range []string{"24h", every.String()} {
			both[i] = startOurs(b, kafka, in, verdictsOnly, "testengine_state.0.snapshot_interval="+interval)
		}
		time.Sleep(5 * time.Second)
		var more []float64
		from := [2]line{both[0].now(b), both[1].now(b)}
		for range snapshotWindows {
			time.Sleep(every)
			to := [2]line{both[0].now(b), both[1].now(b)}
			var each [2]float64
			for i := range each {
				each[i] = (to[i].cpu - from[i].cpu) * 1000 / (to[i].executions - from[i].executions)
			}
			b.Logf("%.3f µs an execution without snapshots, %.3f with: %+.1f %%", each[0], each[1], (each[1]/each[0]-1)*100)
			more = append(more, (each[1]/each[0]-1)*100)
			from = to
		}
		slices.Sort(more)
		b.ReportMetric(more[len(more)/2], "%more_CPU")
		for _, one := range both {
			one.process.Kill()
		}
	}
}

// now samples the worker and how many uploads of 1,000 executions it has read.
func (w *worker) now(b *testing.B) line {
	b.Helper()
	offsets, err := w.admin.FetchOffsets(b.Context(), w.group)
	require.NoError(b, err)
	l := sample(b, w.process.Pid())
	offsets.Each(func(o kadm.OffsetResponse) { l.executions += float64(o.At) * float64(w.in.load.PerUpload) })
	return l
}
