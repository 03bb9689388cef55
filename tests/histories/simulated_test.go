package histories

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/simulate/world"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func simulated(seed uint64, days int) world.Config {
	return world.Config{
		Seed: seed, Organization: "local", Suites: 3, TestsPerSuite: 200, Days: days, CommitsPerDay: 12, Branches: 5,
		Jobs: 2, Hosts: 12, Retries: 1, FlakyShare: 0.03, RegressionShare: 0.15, StormsPerDay: 0.8, DuplicateShare: 0.005,
	}
}

// record writes the world's history as upload_history reads it.
func record(t *testing.T, config world.Config) (path string, truth world.Truth, executions int) {
	t.Helper()
	w, err := world.New(config)
	require.NoError(t, err)
	origin := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC).UnixMilli()
	w.SetOffset(origin)
	path = filepath.Join(t.TempDir(), "uploads.ndjson")
	file, err := os.Create(path)
	require.NoError(t, err)
	out := bufio.NewWriterSize(file, 1<<20)
	for {
		upload := w.Next()
		if upload.At > int64(config.Days)*world.Day {
			break
		}
		executions += upload.Executions
		_, err := fmt.Fprintf(out, "{\"received_at\":%q,\"suite\":%q,\"body\":%s}\n",
			testengine.Time(origin+upload.At).String(), upload.Suite, upload.Body)
		require.NoError(t, err)
	}
	require.NoError(t, out.Flush())
	require.NoError(t, file.Close())
	return path, w.Truth(true), executions
}

// enoughEvidence is the number of failures of its own from which on a flaky test should have been found.
const enoughEvidence = 4

func TestSimulatedWorldsAreUnderstood(t *testing.T) {
	right, wrong, missed, stormy := 0, 0, 0, 0
	for _, seed := range []uint64{101, 102, 103} {
		uploads, truth, executions := record(t, simulated(seed, 14))
		verdicts := readVerdicts(t, backtest(t, uploads))
		truly, either := map[string]bool{}, map[string]bool{}
		kinds := map[string]world.Kind{}
		stormOnly := map[string]bool{}
		for _, test := range truth.Tests {
			name := fullName(test.Suite, test.Scope, test.Name)
			kinds[name] = test.Kind
			switch {
			case test.Kind == world.Stable:
				stormOnly[name] = test.Failures.Storm > 0 && test.Failures.Regression == 0
			case test.Failures.Flaky >= enoughEvidence:
				truly[name] = true
			default:
				either[name] = true
			}
		}
		detected := judge(named(verdicts, testengine.FlakyDetected), truly, either)
		suspected := judge(named(verdicts, testengine.FlakySuspected), truly, either)
		t.Logf("seed %d: %d executions; detected: precision %.3f recall %.3f of %d; suspected: precision %.3f recall %.3f",
			seed, executions, detected.precision(), detected.recall(), len(truly), suspected.precision(), suspected.recall())
		for _, name := range detected.missed {
			t.Logf("missed %s: %s", kinds[name], name)
		}
		for _, name := range detected.wrong {
			t.Logf("wrong, by a storm %v: %s", stormOnly[name], name)
			if stormOnly[name] {
				stormy++
			}
		}
		right, wrong, missed = right+len(detected.right), wrong+len(detected.wrong), missed+len(detected.missed)
	}
	require.GreaterOrEqual(t, ratio(right, wrong), 0.9, "precision")
	require.GreaterOrEqual(t, ratio(right, missed), 0.6, "recall")
	require.LessOrEqual(t, stormy, 1, "alarms that storms caused")
}

func TestACleanWorldGivesNoAlarm(t *testing.T) {
	config := simulated(5, 7)
	config.FlakyShare, config.RegressionShare, config.StormsPerDay = 0, 0, 0
	uploads, _, _ := record(t, config)
	for _, verdict := range readVerdicts(t, backtest(t, uploads)) {
		require.Equal(t, testengine.TestNew, verdict.Type)
	}
}

func TestTheBackTestDependsOnTheUploadsAlone(t *testing.T) {
	uploads, _, _ := record(t, simulated(9, 6))
	expected, err := os.ReadFile(backtest(t, uploads))
	require.NoError(t, err)
	require.NotEmpty(t, expected)
	for _, test := range []struct{ name, from, to string }{
		{"many threads", "threads: 1", "threads: 8"},
		{"batches of one line", "organization:", "batch_lines: 1\n    organization:"},
		{"batches of seven lines", "organization:", "batch_lines: 7\n    organization:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := os.ReadFile(backtest(t, uploads, test.from, test.to))
			require.NoError(t, err)
			require.True(t, bytes.Equal(expected, got), "the verdicts differ")
		})
	}
}

// The back-test decodes what detection reads and no more.
func TestFactsGiveTheVerdictsOfEverything(t *testing.T) {
	world, _, _ := record(t, simulated(11, 10))
	for _, uploads := range []string{world, recordedClients(t)} {
		facts, err := os.ReadFile(backtest(t, uploads))
		require.NoError(t, err)
		require.NotEmpty(t, facts)
		everything, err := os.ReadFile(backtest(t, uploads, "keep: facts", "keep: all"))
		require.NoError(t, err)
		require.Equal(t, string(everything), string(facts))
	}
}

// recordedClients are the uploads in JSON that real clients have sent, each of
// them in a suite of its own, and again and again as runs of further commits.
func recordedClients(t *testing.T) (path string) {
	t.Helper()
	names, err := filepath.Glob("../testdata/recorded-clients/*.body")
	require.NoError(t, err)
	begin, lines, uploads := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC), bytes.Buffer{}, 0
	for run := range 6 {
		for _, name := range names {
			body, err := os.ReadFile(name)
			require.NoError(t, err)
			var upload map[string]any
			if json.Unmarshal(body, &upload) != nil || upload["data"] == nil {
				continue
			}
			env, _ := upload["run_env"].(map[string]any)
			env["key"], env["commit_sha"] = fmt.Sprintf("run %d", run), fmt.Sprintf("commit %d", run/2)
			changed, err := json.Marshal(upload)
			require.NoError(t, err)
			_, err = fmt.Fprintf(&lines, "{\"received_at\":%q,\"suite\":%q,\"body\":%s}\n",
				testengine.Time(begin.Add(time.Duration(uploads)*time.Minute).UnixMilli()).String(), filepath.Base(name), changed)
			require.NoError(t, err)
			uploads++
		}
	}
	path = filepath.Join(t.TempDir(), "recorded.ndjson")
	require.NoError(t, os.WriteFile(path, lines.Bytes(), 0o600))
	return path
}

func TestABackTestIsFast(t *testing.T) {
	config := simulated(4, 28)
	config.TestsPerSuite = 300
	uploads, _, executions := record(t, config)
	require.Greater(t, executions, 750_000)
	begin := time.Now()
	backtest(t, uploads)
	took := time.Since(begin)
	t.Logf("%d executions in %s", executions, took)
	require.Less(t, took.Seconds()/float64(executions)*750_000, 10.0, "seconds for 750,000 executions")
}
