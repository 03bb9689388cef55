package faults

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// refusedInput reads a topic that does not exist, refusedOutput writes into one,
// refusedState has a processor whose state is not in the configuration, and
// refusedDatabase an output whose database is not.
const (
	refusedInput = `
input:
  kafka_stateful:
    seed_brokers: [ BROKERS ]
    group: pipeline
    topics: [ nowhere ]
    format: raw
output: {drop: {}}
`
	refusedOutput = `
input: {generate: {mapping: 'root = "again"', interval: 20ms}}
output: {kafka_blocks: {seed_brokers: [ BROKERS ], topic: nowhere, format: raw}}
`
	refusedState = `
input: {generate: {mapping: 'root = "again"', interval: 1h}}
pipeline: {processors: [ {label: detect, flaky_detect: {state: nowhere}} ]}
output: {kafka_blocks: {seed_brokers: [ BROKERS ], topic: nowhere, format: raw}}
`
	refusedDatabase = `
input: {generate: {mapping: 'root = "again"', interval: 20ms}}
output: {duckdb: {database: nowhere}}
`
)

const goodStream = `
input: {generate: {mapping: 'root = "again"', interval: 20ms}}
output: {file: {path: OUT, codec: lines}}
`

const refusalSentence = "The stream ends: topic nowhere does not exist: `connect-testengine topics create` makes those of config/topics.yaml"

// refusal is a folder of streams, one of which is refused.
func refusal(t *testing.T, refused string) (dir, out string) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	dir, out = t.TempDir(), filepath.Join(t.TempDir(), "out")
	fill := strings.NewReplacer("BROKERS", strings.Join(cluster.ListenAddrs(), ","), "OUT", out)
	for name, yaml := range map[string]string{"refused.yaml": refused, "good.yaml": goodStream} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(fill.Replace(yaml)), 0o600))
	}
	return dir, out
}

func TestARefusalEndsTheProcessWithOneSentence(t *testing.T) {
	dir, _ := refusal(t, refusedInput)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	output, err := exec.CommandContext(ctx, harness.Binary(t), "run", "--set", "http.enabled=false", filepath.Join(dir, "refused.yaml")).CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%s", output)
	require.Equal(t, 1, exit.ExitCode())
	require.Equal(t, 1, strings.Count(string(output), refusalSentence), "%s", output)
}

func TestARefusedStreamLeavesTheOthersAlone(t *testing.T) {
	for _, test := range []struct{ name, yaml, says string }{
		{"by its input", refusedInput, refusalSentence},
		{"by its output", refusedOutput, "The stream ends: topic dead_letters does not exist"},
		{"for a processor's state", refusedState, `The stream ends: flaky_detect needs the testengine_state \"nowhere\", which is not in the configuration`},
		{"for its database", refusedDatabase, "The stream ends: finding the duckdb_database"},
	} {
		t.Run(test.name, func(t *testing.T) { leavesTheOthersAlone(t, test.yaml, test.says) })
	}
}

func leavesTheOthersAlone(t *testing.T, refused, says string) {
	t.Helper()
	dir, out := refusal(t, refused)
	address := harness.FreeAddress(t)
	var printed bytes.Buffer
	command := exec.CommandContext(t.Context(), harness.Binary(t), "streams", "--set", "http.address="+address, "--set", "shutdown_timeout=1s", dir)
	command.Dir = harness.Root() // Where a pipeline lies that `run` would take.
	command.Stdout, command.Stderr = &printed, &printed
	require.NoError(t, command.Start())
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()

	ready := func() (status int, text string) {
		response, err := http.Get("http://" + address + "/ready")
		if err != nil {
			return 0, ""
		}
		defer response.Body.Close() //nolint:errcheck // read only
		var said bytes.Buffer
		_, err = said.ReadFrom(response.Body)
		require.NoError(t, err)
		return response.StatusCode, said.String()
	}
	told := func() bool {
		status, text := ready()
		return status == http.StatusServiceUnavailable && text == "streams refused are not connected\n"
	}
	require.Eventually(t, told, time.Minute, 50*time.Millisecond, "whoever asks is told which one it is")
	written := size(out)
	require.Eventually(t, func() bool { return size(out) > written }, time.Minute, 50*time.Millisecond, "the other one goes on")
	require.True(t, told(), "and not only for a moment")
	require.Empty(t, ended)

	require.NoError(t, command.Process.Signal(syscall.SIGTERM))
	var exit *exec.ExitError
	require.ErrorAs(t, <-ended, &exit)
	require.Equal(t, 1, exit.ExitCode(), "one of its streams was refused")
	require.Equal(t, 1, strings.Count(printed.String(), says), printed.String())
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
