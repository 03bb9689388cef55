package histories

import (
	"bufio"
	"bytes"
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
