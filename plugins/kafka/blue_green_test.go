package kafka

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/outputs"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/depot"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
)

// versionYAML is a version of the pipeline in its folder, group and topic.
func versionYAML(dir, group, topic, version, store string) string {
	return strings.NewReplacer(
		"group: pipeline", "group: "+group+"\n    version: \""+version+"\"", "topic: results", "topic: "+topic,
		"cycle: 50ms", "cycle: 50ms\n    session_timeout: 2s",
		"/state\ninput", "/state\n    snapshot_interval: 50ms"+store+"\ninput",
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

// handOver runs the command's step once and returns what it said.
func (k *testKafka) handOver(version string, from, to StatePlace) (string, error) {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.Context(), 20*time.Second)
	defer cancel()
	var said strings.Builder
	err := HandOver(ctx, k.client, HandOverSettings{
		Topic: "uploads", Group: "pipeline", Shadow: "green", Version: version, From: from, To: to,
	}, &said)
	return said.String(), err
}

func TestAGreenVersionTakesOverAtARecordAndGivesBack(t *testing.T) {
	for _, test := range []struct {
		name string
		// place is where a version keeps its state, and store what its YAML says about it.
		place func(t *testing.T, dir string) (place StatePlace, store string)
	}{
		{"with folders", func(_ *testing.T, dir string) (StatePlace, string) {
			return StatePlace{Dir: filepath.Join(dir, "state")}, ""
		}},
		{"with a store that both reach", func(t *testing.T, dir string) (StatePlace, string) {
			shared := filepath.Join(dir, "shared")
			directory, err := depot.NewDirectory(disk.OS(), shared)
			require.NoError(t, err)
			return StatePlace{Depot: directory}, "\n    store: {path: " + shared + ", upload_interval: 50ms}"
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			k, dir := newTestKafka(t), t.TempDir()
			_, err := kadm.NewClient(k.client).CreateTopic(t.Context(), kafkaPartitions, 1, nil, "results_green")
			require.NoError(t, err)
			blueDir, greenDir := filepath.Join(dir, "blue"), filepath.Join(dir, "green")
			blue, blueStore := test.place(t, blueDir)
			green, greenStore := test.place(t, greenDir)

			k.produce(uploadRecords("web", 0, 30)...)
			stopBlue, _ := k.run(versionYAML(blueDir, "pipeline", "results", "", blueStore))
			counts(t, k.wait("results", 30), map[string]int{"web": 30})

			// Green begins in a shadow group with blue's snapshot, while blue goes on.
			snapshotReaches(t, filepath.Join(blueDir, "state"), 30)
			var said string
			require.Eventually(t, func() bool { // The store has the snapshot a moment later.
				said, err = k.handOver("green", blue, green)
				return err == nil
			}, 20*time.Second, 100*time.Millisecond)
			require.Contains(t, said, "group green begins at record")
			stopGreen, _ := k.run(versionYAML(greenDir, "green", "results_green", "green", greenStore))
			k.produce(uploadRecords("web", 30, 40)...)
			blueSaid := k.wait("results", 40)
			first := 40 - len(k.wait("results_green", 10))
			windows, err := outputs.Compare(linesOf(blueSaid, first), linesOf(k.wait("results_green", 10), 0), outputs.Options{Window: 2, Time: "time"})
			require.NoError(t, err)
			require.Greater(t, len(windows), 4)
			for _, w := range windows {
				require.Zero(t, w.OnlyFirst+w.OnlySecond, "%v", w.Examples)
			}

			stopBlue()
			stopGreen()
			said, err = k.handOver("green", blue, green)
			require.NoError(t, err)
			require.Contains(t, said, `handed over to version "green" at record 40`)

			// Blue is refused from now on, wherever it is started.
			logged := refusalOf(t, strings.ReplaceAll(versionYAML(filepath.Join(dir, "elsewhere"), "pipeline", "results", "", ""), "BROKERS", k.addresses))
			require.Contains(t, logged, "state handover")

			stopGreen, _ = k.run(versionYAML(greenDir, "pipeline", "results", "green", greenStore))
			k.produce(uploadRecords("web", 40, 45)...)
			counts(t, k.wait("results", 45), map[string]int{"web": 45})
			stopGreen()

			_, err = k.handOver("", green, blue)
			require.NoError(t, err)
			stopBlue, _ = k.run(versionYAML(blueDir, "pipeline", "results", "", blueStore))
			k.produce(uploadRecords("web", 45, 50)...)
			counts(t, k.wait("results", 50), map[string]int{"web": 50})
			stopBlue()
		})
	}
}

func TestWhatCannotBeHandedOverIsRefused(t *testing.T) {
	k, dir := newTestKafka(t), t.TempDir()
	blueDir := filepath.Join(dir, "blue")
	blue, green := StatePlace{Dir: filepath.Join(blueDir, "state")}, StatePlace{Dir: filepath.Join(dir, "green")}
	_, err := k.handOver("green", blue, green)
	require.ErrorContains(t, err, "blue/state", "there is no state to begin with")

	k.produce(uploadRecords("web", 0, 30)...)
	stopBlue, _ := k.run(versionYAML(blueDir, "pipeline", "results", "", ""))
	snapshotReaches(t, filepath.Join(blueDir, "state"), 30)
	_, err = k.handOver("green", blue, green)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err = HandOver(ctx, k.client, HandOverSettings{Topic: "uploads", Group: "pipeline", Shadow: "green", Version: "green", From: blue, To: green}, io.Discard)
	require.ErrorContains(t, err, "group pipeline: it has 1 members, which have to be stopped first")
	stopBlue()
}
