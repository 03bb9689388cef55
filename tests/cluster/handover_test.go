package cluster

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/schema/avro"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// deployment is a version of detect_flaky in a group, with a store of its own.
type deployment struct {
	fleet         *fleet
	name, version string
}

func (d deployment) store() string { return filepath.Join(d.fleet.data, d.name+"-store") }

func (d deployment) start(group, suffix string) *harness.Process {
	return harness.Start(d.fleet.t, harness.Options{
		Pipeline: "pipelines/detect_flaky.yaml", Data: filepath.Join(d.fleet.data, d.name),
		Env: []string{
			"TESTENGINE_BROKERS=" + d.fleet.kafka.Addresses, "TESTENGINE_GROUP=" + group,
			"TESTENGINE_VERSION=" + d.version, "TESTENGINE_TOPICS_SUFFIX=" + suffix,
		},
		Set: []string{
			"testengine_state.0.snapshot_interval=300ms", "testengine_state.0.store.path=" + d.store(),
			"testengine_state.0.store.upload_interval=300ms", "pipeline.processors.2.flaky_detect.run_idle=" + runIdle,
		},
	})
}

// command runs the binary and returns what it said.
func (f *fleet) command(args ...string) (string, error) {
	command := exec.CommandContext(f.t.Context(), harness.Binary(f.t), args...)
	command.Dir = harness.Root()
	out, err := command.CombinedOutput()
	return string(out), err
}

func (f *fleet) handOver(from, to deployment, within time.Duration) (string, error) {
	return f.command("state", "handover", "--brokers", f.kafka.Addresses, "--group", "detect_flaky", "--shadow", "detect_flaky_green",
		"--version", to.version, "--timeout", within.String(), "store:"+from.store(), "store:"+to.store())
}

// verdicts writes what a topic has of verdicts as lines of JSON.
func (f *fleet) verdicts(topic string) (name string, lines int) {
	f.t.Helper()
	name = filepath.Join(f.t.TempDir(), topic+".ndjson")
	file, err := os.Create(name)
	require.NoError(f.t, err)
	codec, encoder := avro.NewBuiltIn(), json.NewEncoder(file)
	f.kafka.Read(topic, func(r *kgo.Record) {
		var decoded testengine.Record
		require.NoError(f.t, codec.Decode(f.t.Context(), r.Value, &decoded))
		require.NoError(f.t, encoder.Encode(decoded.Value))
		lines++
	})
	require.NoError(f.t, file.Close())
	return name, lines
}

// TestAGreenVersionTakesOverAndGivesBackOnARealBroker does what the description of
// state handover says, while uploads come in; blue, green and blue again write
// what one process would have written.
func TestAGreenVersionTakesOverAndGivesBackOnARealBroker(t *testing.T) {
	f := newFleet(t, 1, 0)
	for _, topic := range []string{"executions", "verdicts", "runs", "upload_reports", "dead_letters"} {
		_, err := kadm.NewClient(f.kafka.Client()).CreateTopic(t.Context(), partitions, 1, nil, topic+"_green")
		require.NoError(t, err)
	}
	blue, green := deployment{f, "blue", ""}, deployment{f, "green", "green"}
	blueProcess := blue.start("detect_flaky", "")
	from := startFeed(t, f.kafka, 8000)
	from.until(30_000)

	// Green gets blue's snapshot out of the store and runs beside it.
	var said string
	var err error
	require.Eventually(t, func() bool {
		said, err = f.handOver(blue, green, time.Minute)
		return err == nil
	}, time.Minute, time.Second)
	require.Equal(t, partitions, strings.Count(said, "group detect_flaky_green begins at record"), said)
	greenProcess := green.start("detect_flaky_green", "_green")
	require.Eventually(t, func() bool { // A slow machine takes its time.
		_, lines := f.verdicts("verdicts_green")
		return lines > 20
	}, 2*time.Minute, time.Second)
	said, err = f.handOver(blue, green, 10*time.Second)
	require.Error(t, err, "nobody takes over while both work")
	require.Contains(t, said, "waiting until nobody is in group detect_flaky")
	require.Zero(t, greenProcess.Stop(time.Minute), greenProcess.Output())
	blues, _ := f.verdicts("verdicts")
	greens, lines := f.verdicts("verdicts_green")
	require.Greater(t, lines, 10)
	said, err = f.command("state", "compare", "--window", "1s", blues, greens)
	require.NoError(t, err, said)
	require.Contains(t, said, " 0 differ")
	t.Logf("%d verdicts beside: %s", lines, said)

	// Blue drains, green takes over, and blue cannot come back by itself.
	require.Zero(t, blueProcess.Stop(time.Minute), blueProcess.Output())
	said, err = f.handOver(blue, green, time.Minute)
	require.NoError(t, err, said)
	require.Equal(t, partitions, strings.Count(said, `handed over to version "green" at record`), said)
	blueProcess = blue.start("detect_flaky", "")
	require.Equal(t, 1, blueProcess.Wait(time.Minute), blueProcess.Output())
	require.Contains(t, blueProcess.Output(), "state handover")
	greenProcess = green.start("detect_flaky", "")
	f.moves(time.Minute)
	from.until(from.executions.Load() + 40_000)

	// Back the same way.
	require.Zero(t, greenProcess.Stop(time.Minute), greenProcess.Output())
	said, err = f.handOver(green, blue, time.Minute)
	require.NoError(t, err, said)
	require.Equal(t, partitions, strings.Count(said, `handed over to version "" at record`), said)
	f.workers = append(f.workers, blue.start("detect_flaky", ""))
	f.moves(time.Minute)
	should := f.finish(from)
	t.Logf("%d records, %d verdicts", should.records, len(should.verdicts))
}
