package stream

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/stream/disk"
	"github.com/connect-testengine/connect-testengine/plugins/stream/outputs"
	"github.com/connect-testengine/connect-testengine/plugins/stream/state"
)

// versionYAML is a version of the pipeline in its folder, group and topic.
func versionYAML(dir, group, topic string) string {
	return strings.NewReplacer(
		"group: pipeline", "group: "+group, "topic: results", "topic: "+topic,
		"/state\ninput", "/state\n    snapshot_interval: 50ms\ninput",
	).Replace(exactlyOnce(dir))
}

// snapshotReaches waits for a snapshot that holds so many records.
func snapshotReaches(t *testing.T, dir string, records int64) (all []state.Snapshot) {
	t.Helper()
	require.Eventually(t, func() bool {
		all, _ = state.Snapshots(disk.OS(), dir)
		total := int64(0)
		for _, s := range all {
			total += s.Next
		}
		return len(all) == kafkaPartitions && total >= records
	}, 20*time.Second, 20*time.Millisecond)
	return all
}

// linesOf are results as lines, timed by their count.
func linesOf(records []*kgo.Record, from int) *strings.Reader {
	var all strings.Builder
	for _, r := range records[from:] {
		fmt.Fprintf(&all, `{"time": %s, "value": %q}`+"\n", header(r, "count"), r.Value)
	}
	return strings.NewReader(all.String())
}

func TestAGreenVersionTakesOverAtARecordAndGivesBack(t *testing.T) {
	k, dir := newTestKafka(t), t.TempDir()
	admin := kadm.NewClient(k.client)
	_, err := admin.CreateTopic(t.Context(), kafkaPartitions, 1, nil, "results_green")
	require.NoError(t, err)
	blueDir, greenDir := filepath.Join(dir, "blue"), filepath.Join(dir, "green")
	blueState, greenState := filepath.Join(blueDir, "state"), filepath.Join(greenDir, "state")

	k.produce(uploadRecords("web", 0, 30)...)
	stopBlue, _ := k.run(versionYAML(blueDir, "pipeline", "results"))
	counts(t, k.wait("results", 30), map[string]int{"web": 30})

	// Green begins in a shadow group with blue's snapshot, while blue goes on.
	snapshots := snapshotReaches(t, blueState, 30)
	var exported bytes.Buffer
	require.NoError(t, state.Export(t.Context(), disk.OS(), blueState, &exported))
	require.NoError(t, state.Import(disk.OS(), greenState, &exported, state.Target{}))
	var begin kadm.Offsets
	for _, s := range snapshots {
		begin.AddOffset("uploads", int32(s.Partition), s.Next, -1)
	}
	_, err = admin.CommitOffsets(t.Context(), "green", begin)
	require.NoError(t, err)
	stopGreen, _ := k.run(versionYAML(greenDir, "green", "results_green"))
	k.produce(uploadRecords("web", 30, 40)...)
	blue, green := k.wait("results", 40), k.wait("results_green", 10)
	windows, err := outputs.Compare(linesOf(blue, 30), linesOf(green, 0), outputs.Options{Window: 2, Time: "time"})
	require.NoError(t, err)
	require.Greater(t, len(windows), 4)
	for _, w := range windows {
		require.Zero(t, w.OnlyFirst+w.OnlySecond, "%v", w.Examples)
	}

	stopBlue()
	stopGreen()
	h, err := state.HandOver(disk.OS(), blueState, greenState)
	require.NoError(t, err)
	committed, err := admin.FetchOffsets(t.Context(), "pipeline")
	require.NoError(t, err)
	for partition, next := range h.Next {
		offset, ok := committed.Lookup("uploads", int32(partition))
		require.True(t, ok)
		require.Equal(t, offset.At, next, "it is handed over where the group has committed")
	}
	_, err = state.Open(disk.OS(), state.Options{Dir: blueState})
	require.ErrorContains(t, err, "handed over")

	stopGreen, _ = k.run(versionYAML(greenDir, "pipeline", "results"))
	k.produce(uploadRecords("web", 40, 45)...)
	counts(t, k.wait("results", 45), map[string]int{"web": 45})
	stopGreen()

	_, err = state.HandOver(disk.OS(), greenState, blueState)
	require.NoError(t, err)
	stopBlue, _ = k.run(versionYAML(blueDir, "pipeline", "results"))
	k.produce(uploadRecords("web", 45, 50)...)
	counts(t, k.wait("results", 50), map[string]int{"web": 50})
	stopBlue()
}
