package cluster

import (
	"encoding/base64"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog"
	"github.com/connect-testengine/connect-testengine/plugins/schema/avro"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/tests/harness"
)

const (
	grownPartitions = 2 * partitions
	grownTopic      = "uploads_grown"
)

// TestAFleetGrowsToMorePartitions does what the description of state import says.
// What was known in the old topic's partitions is known in those of the new one:
// together they say what one process over both would have, and a body that comes
// again in the new topic is known from the old one.
func TestAFleetGrowsToMorePartitions(t *testing.T) {
	f := newFleet(t, 1, 0)
	before := startFeed(t, f.kafka, 16_000)
	f.workers = append(f.workers, startOn(f, "old"))
	before.until(40_000) // More than a run.
	before.Stop()
	f.drained("detect_flaky", "uploads")
	require.Zero(t, f.workers[0].Stop(ending), f.workers[0].Output())

	id := f.grow()
	exported, state := filepath.Join(f.data, "state.jsonl"), func(name string) string {
		return filepath.Join(f.data, name, "detect_flaky", "state")
	}
	said, err := f.command("state", "export", state("old"), exported)
	require.NoError(t, err, said)
	said, err = f.command("state", "import", "--log", id, "--partitions", "12", exported, state("new"))
	require.Error(t, err, "12 is no multiple of 8")
	require.Contains(t, said, "only a multiple")
	said, err = f.command("state", "import", "--log", id, "--partitions", "16", exported, state("new"))
	require.NoError(t, err, said)

	// The last whole run before is written once more: its uploads are known.
	require.Positive(t, before.runs.Load())
	after := startFeedInto(t, f.kafka, grownTopic, before.runs.Load()-1, 16_000)
	f.workers[0] = startOn(f, "new", "input.kafka_stateful.topics.0="+grownTopic)
	after.until(90_000)
	after.Stop()
	f.drained("detect_flaky", grownTopic)
	require.Zero(t, f.workers[0].Stop(ending), f.workers[0].Output())
	f.grew(before, after)
}

// grew holds what both topics have become against what one process over both says.
func (f *fleet) grew(before, after *feed) {
	f.t.Helper()
	should := f.askOverBoth()
	require.Equal(f.t, should.executions, f.stored(should))
	sum := int64(0)
	for _, n := range should.executions {
		sum += int64(n)
	}
	require.Greater(f.t, sum, before.executions.Load(), "there is news in the new topic")
	require.Less(f.t, sum, before.executions.Load()+after.executions.Load(), "and what was known")
	f.t.Logf("%d uploads, %d verdicts over both topics", len(should.executions), len(should.verdicts))
}

func startOn(f *fleet, name string, set ...string) *harness.Process {
	return harness.Start(f.t, harness.Options{
		Pipeline: "pipelines/detect_flaky.yaml", Data: filepath.Join(f.data, name), Env: []string{"TESTENGINE_BROKERS=" + f.kafka.Addresses},
		Set: append(set, "pipeline.processors.2.flaky_detect.run_idle="+runIdle),
	})
}

// grow makes the new topic and widens those of the results. It returns the new
// topic's id as the brokers' tools print it.
func (f *fleet) grow() string {
	f.t.Helper()
	admin, stamped := kadm.NewClient(f.kafka.Client()), "LogAppendTime"
	made, err := admin.CreateTopic(f.t.Context(), grownPartitions, 1, map[string]*string{"message.timestamp.type": &stamped}, grownTopic)
	require.NoError(f.t, err)
	var begin kadm.Offsets
	for partition := range int32(grownPartitions) {
		begin.AddOffset(grownTopic, partition, 0, -1)
	}
	require.Eventually(f.t, func() bool { return admin.CommitAllOffsets(f.t.Context(), "detect_flaky", begin) == nil }, ending, 100*time.Millisecond)
	widened, err := admin.UpdatePartitions(f.t.Context(), grownPartitions, "executions", "verdicts", "runs", "upload_reports", "dead_letters")
	require.NoError(f.t, err)
	require.NoError(f.t, widened.Error())
	return base64.RawURLEncoding.EncodeToString(made.ID[:])
}

// askOverBoth replays both topics, one after the other, by the partitions of the new one.
func (f *fleet) askOverBoth() *oracle {
	o := &oracle{written: written{}, executions: map[string]int{}, verdicts: map[string]bool{}}
	records := make(chan *kgo.Record, 64)
	go func() {
		defer close(records)
		behind := map[int32]int64{} // a place's number of records in the topic before
		for _, topic := range []string{"uploads", grownTopic} {
			committed := committedOffsets(f.t, f.kafka, "detect_flaky", topic)
			f.kafka.Read(topic, func(r *kgo.Record) {
				if r.Offset >= committed[r.Partition] {
					return
				}
				for _, partition := range places(r, topic) {
					again := *r
					again.Partition, again.Offset = partition, r.Offset+behind[partition]
					records <- &again
				}
			})
			for partition, count := range committed {
				behind[partition], behind[partition+partitions] = count, count
			}
		}
	}()
	o.replay(f.t, records, "both")
	return o
}

// places are where a record stands in the new topic: a tick of the old one moves
// the time of both partitions that its own has become.
func places(r *kgo.Record, topic string) []int32 {
	switch {
	case len(r.Key) > 0:
		return []int32{int32(kafkalog.KeyPartition(r, grownPartitions))}
	case topic == grownTopic:
		return []int32{r.Partition}
	}
	return []int32{r.Partition, r.Partition + partitions}
}

// stored reads what was written: executions by upload. The verdicts are the
// oracle's, each of them once.
func (f *fleet) stored(should *oracle) map[string]int {
	f.t.Helper()
	codec, executions, verdicts := avro.NewBuiltIn(), map[string]int{}, map[string]bool{}
	decode := func(r *kgo.Record) any {
		var decoded testengine.Record
		require.NoError(f.t, codec.Decode(f.t.Context(), r.Value, &decoded))
		return decoded.Value
	}
	f.kafka.Read("executions", func(r *kgo.Record) {
		block, ok := decode(r).(*testengine.Block)
		require.True(f.t, ok)
		executions[block.Upload.ID] += len(block.Executions)
	})
	f.kafka.Read("verdicts", func(r *kgo.Record) {
		verdict, ok := decode(r).(*testengine.Verdict)
		require.True(f.t, ok)
		require.False(f.t, verdicts[verdict.ID], "verdict %s is there once", verdict.ID)
		verdicts[verdict.ID] = true
	})
	require.Equal(f.t, should.verdicts, verdicts)
	dead := 0
	f.kafka.Read("dead_letters", func(*kgo.Record) { dead++ })
	require.Zero(f.t, dead, "dead letters")
	return executions
}
