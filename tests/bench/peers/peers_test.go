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
		_, err := admin.CreateTopic(b.Context(), count, 1, map[string]*string{"message.timestamp.type": new("LogAppendTime")}, topic)
		return err == nil
	}, time.Minute, 100*time.Millisecond)
}

// contest is the input, who reads it, and what they need to do so.
type contest struct {
	kafka *harness.Kafka
	jars  string
	in    *input
	round []string
	found map[string][]figures
}

func newContest(b *testing.B, load uploads.Load, runs int) *contest {
	b.Helper()
	c := &contest{
		kafka: harness.StartKafka(b, 1), found: map[string][]figures{},
		in: &input{topic: "uploads", load: load, runs: runs},
	}
	for _, topic := range []string{c.in.topic, "executions", "runs", "upload_reports", "late", "dead_letters"} {
		newTopic(b, c.kafka, topic, partitions)
	}
	fill(b, c.kafka, c.in)
	return c
}

// flink measures a variant over the first executions of the input.
func (c *contest) flink(b *testing.B, v variant, executions int64) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 20*time.Minute)
	defer cancel()
	if c.jars == "" {
		c.jars = installFlink(b)
	}
	newTopic(b, c.kafka, "verdicts", partitions)
	f := startFlink(b, c.jars, c.kafka, v, c.in.topic, "verdicts")
	defer f.stop()
	found := f.until(ctx, min(executions, c.in.executions))
	if executions >= c.in.executions {
		pairs, _ := c.in.load.Verdicts(c.in.runs)
		require.Equal(b, pairs, int(found.verdicts), "verdicts of Flink and of the oracle")
	}
	c.note(b, "flink "+v.String(), found)
}

// manyRuns is how many runs show most of the flaky tests; fewer show few failures of each.
const manyRuns = 60

// ours measures a pipeline over the whole input.
func (c *contest) ours(b *testing.B, name, pipeline string, set ...string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 20*time.Minute)
	defer cancel()
	newTopic(b, c.kafka, "verdicts", partitions)
	w := startOurs(b, c.kafka, c.in, pipeline, set...)
	defer w.process.Kill()
	found := w.until(ctx)
	require.Zero(b, w.process.Stop(time.Minute), w.process.Output())
	found.verdicts = float64(suspects(b, c.kafka))
	// Flink's job says "flaky" whenever a commit has both; ours weighs that evidence
	// and keeps silent about a few, and about no test that has none.
	_, tests := c.in.load.Verdicts(c.in.runs)
	require.LessOrEqual(b, int(found.verdicts), tests, "tests that ours suspects")
	require.Positive(b, found.verdicts, "tests that ours suspects")
	if pipeline == verdictsOnly && c.in.runs >= manyRuns { // The storm guard of the other keeps more of them back.
		require.Greater(b, int(found.verdicts), tests*3/4, "tests that ours suspects")
	}
	c.note(b, name, found)
}

func (c *contest) note(b *testing.B, name string, found figures) {
	b.Helper()
	b.Logf("%s: %s", name, found)
	if c.found[name] == nil {
		c.round = append(c.round, name)
	}
	c.found[name] = append(c.found[name], found)
}

// report prints the medians and by how much ours is better than each variant of Flink.
func (c *contest) report(b *testing.B, ours string) {
	b.Helper()
	best := median(c.found[ours])
	for _, name := range c.round {
		m := median(c.found[name])
		b.Logf("median of %d: %s: %s; %s is %.1f times as good per CPU-second", len(c.found[name]), name, m, ours, best.perCPUSecond/m.perCPUSecond)
	}
	b.ReportMetric(best.perCPUSecond, "executions/CPU-s")
	b.ReportMetric(best.perSecond, "executions/s")
	b.ReportMetric(best.peakMB, "peakMB")
}

const (
	verdictsOnly = "tests/bench/peers/detect_verdicts.yaml"
	detectFlaky  = "pipelines/detect_flaky.yaml"
)

// rawBodies makes detect_flaky read what Flink reads.
var rawBodies = []string{"input.kafka_stateful.format=raw", "pipeline.processors.2.flaky_detect.run_idle=1s"}

// BenchmarkBesideFlink is the same job by Flink in two ways and by ours, one
// after the other, so often (TESTENGINE_PEERS_ROUNDS, 3), over so many runs of
// 100,000 executions (TESTENGINE_PEERS_RUNS, 200; RocksDB reads the first 6 M).
func BenchmarkBesideFlink(b *testing.B) {
	c := newContest(b, uploads.Load{Suites: 20, Tests: 5000, PerUpload: 1000}, setting("TESTENGINE_PEERS_RUNS", 200))
	for b.Loop() {
		for range setting("TESTENGINE_PEERS_ROUNDS", 3) {
			c.ours(b, "ours", verdictsOnly)
			c.flink(b, variant{"suite", "fastjson2", "hashmap"}, c.in.executions)
			c.ours(b, "ours, all of detect_flaky", detectFlaky, rawBodies...)
			c.flink(b, variant{"test", "jackson", "rocksdb"}, 6_000_000)
		}
		c.report(b, "ours")
	}
}

// BenchmarkFiveMillionTests is the same with 250,000 tests in each suite, half of
// all executions a test's first. RocksDB, which takes minutes, reads along in the
// first rounds (TESTENGINE_PEERS_ROCKSDB_ROUNDS, 3).
func BenchmarkFiveMillionTests(b *testing.B) {
	c := newContest(b, uploads.Load{Suites: 20, Tests: 250_000, PerUpload: 1000}, 2)
	for b.Loop() {
		for round := range setting("TESTENGINE_PEERS_ROUNDS", 3) {
			c.ours(b, "ours", verdictsOnly)
			c.flink(b, variant{"suite", "fastjson2", "hashmap"}, c.in.executions)
			if round < setting("TESTENGINE_PEERS_ROCKSDB_ROUNDS", 3) {
				c.flink(b, variant{"suite", "fastjson2", "rocksdb"}, c.in.executions)
			}
		}
		c.report(b, "ours")
	}
}
