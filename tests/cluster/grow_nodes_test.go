package cluster

import (
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// bucket is where the nodes of a fleet upload their state, each fleet below a prefix.
type bucket struct{ endpoint string }

func (b bucket) start(f *fleet, node, prefix string, set ...string) *harness.Process {
	return harness.Start(f.t, harness.Options{
		Pipeline: "pipelines/detect_flaky.yaml", Data: filepath.Join(f.data, node),
		Env: []string{
			"TESTENGINE_BROKERS=" + f.kafka.Addresses, "TESTENGINE_STATE_BUCKET=states", "TESTENGINE_STATE_PREFIX=" + prefix,
			"TESTENGINE_STATE_ENDPOINT=" + b.endpoint, "TESTENGINE_STATE_PATH_STYLE=true",
		},
		Set: append(set, "testengine_state.0.snapshot_interval=300ms", "testengine_state.0.store.upload_interval=300ms",
			// Nodes that are gone are missed soon. Transactions keep their time: a machine may be slow.
			"input.kafka_stateful.session_timeout=3s",
			"pipeline.processors.2.flaky_detect.run_idle="+runIdle),
	})
}

// settled waits until no transaction of a process that is gone for good hides what
// stands behind it from readers of committed records.
func (f *fleet) settled(topics ...string) {
	f.t.Helper()
	admin := kadm.NewClient(f.kafka.Client())
	require.Eventually(f.t, func() bool {
		seen, err := admin.ListCommittedOffsets(f.t.Context(), topics...)
		ends, failed := admin.ListEndOffsets(f.t.Context(), topics...)
		if err != nil || failed != nil {
			return false
		}
		hidden := false
		ends.Each(func(end kadm.ListedOffset) {
			at, _ := seen.Lookup(end.Topic, end.Partition)
			hidden = hidden || at.Offset < end.Offset
		})
		return !hidden
	}, ending, 100*time.Millisecond, "transactions are open")
}

// TestAFleetOfNodesGrowsThroughABucket does the same as the other with two nodes and
// no disk that they share: the divided state goes into the bucket, and whoever gets
// a partition begins with it, as does a node whose disk is lost later.
func TestAFleetOfNodesGrowsThroughABucket(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", harness.S3ID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", harness.S3Secret)
	f, b := newFleet(t, 1, 0), bucket{harness.StartS3(t, "states")}
	before := startFeed(t, f.kafka, 16_000)
	one, other := b.start(f, "one", "eight"), b.start(f, "other", "eight")
	f.workers = append(f.workers, one, other)
	before.until(40_000)
	before.Stop()
	f.drained("detect_flaky", "uploads")
	require.Zero(t, other.Stop(ending), other.Output())
	exported, old := filepath.Join(f.data, "state.jsonl"), func(node string) string {
		return filepath.Join(f.data, node, "detect_flaky", "state")
	}
	export := func(node string) (string, error) {
		return f.command("state", "export", "--brokers", f.kafka.Addresses, "--group", "detect_flaky", old(node), exported)
	}
	said, err := export("other")
	require.Error(t, err, "it had half of them")
	require.Contains(t, said, "the others are with other processes")
	require.Eventually(t, func() bool {
		stands := map[int]int64{}
		for partition, at := range committedOffsets(t, f.kafka, "detect_flaky", "uploads") {
			stands[int(partition)] = at
		}
		return state.CheckWhole(disk.OS(), old("one"), stands) == nil
	}, ending, 100*time.Millisecond, "the last process has all partitions")
	require.Zero(t, one.Stop(ending), one.Output())
	id := f.grow()
	said, err = export("one")
	require.NoError(t, err, said)
	place := func(prefix string) string {
		return "s3://states/" + prefix + "?path_style=true&endpoint=" + url.QueryEscape(b.endpoint)
	}
	said, err = f.command("state", "import", "--log", id, "--partitions", "16", exported, place("eight"))
	require.Error(t, err, "the old state is there")
	require.Contains(t, said, "it holds a state already")
	said, err = f.command("state", "import", "--log", id, "--partitions", "16", exported, place("sixteen"))
	require.NoError(t, err, said)

	topic := "input.kafka_stateful.topics.0=" + grownTopic
	f.workers[0], f.workers[1] = b.start(f, "new one", "sixteen", topic), b.start(f, "new other", "sixteen", topic)
	after := startFeedInto(t, f.kafka, grownTopic, before.runs.Load()-1, 16_000)
	after.until(60_000)
	f.workers[1].Kill()
	f.workers[1] = b.start(f, "without a disk", "sixteen", topic)
	after.until(90_000)
	after.Stop()
	f.drained("detect_flaky", grownTopic)
	for _, worker := range f.workers {
		require.Zero(t, worker.Stop(ending), worker.Output())
	}
	f.settled("executions", "verdicts")
	f.grew(before, after)
}
