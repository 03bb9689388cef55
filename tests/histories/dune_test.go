package histories

import (
	"encoding/csv"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// duneHistory is a real history on main: what each test did on each commit.
type duneHistory struct {
	suite   string
	uploads string
	// mixed counts the commits on which a test both passed and failed.
	mixed map[string]int
	// failed counts its failures.
	failed map[string]int
}

// readDune records the CI history of dune-common: rows with one LastRun are a
// run, a cycle is a commit.
func readDune(t *testing.T, file, suite string) duneHistory {
	t.Helper()
	rows := csv.NewReader(openPacked(t, "dune/"+file))
	rows.Comma = ';'
	all, err := rows.ReadAll()
	require.NoError(t, err)
	const nameColumn, durationColumn, runColumn, verdictColumn, cycleColumn = 1, 3, 5, 6, 7

	h := duneHistory{suite: suite, mixed: map[string]int{}, failed: map[string]int{}}
	results := map[[2]string][2]bool{}
	r := newRecording(t)
	var data []recordedExecution
	rest := all[1:]
	for i, row := range rest {
		name, run, failed := "test "+row[nameColumn], row[runColumn], row[verdictColumn] == "1"
		seconds, err := strconv.ParseFloat(row[durationColumn], 64)
		require.NoError(t, err)
		data = append(data, execution("dune-common", name, failed, name+" exited with code 1", seconds))
		key := [2]string{row[cycleColumn], name}
		seen := results[key]
		before := seen[0] && seen[1]
		seen[0], seen[1] = seen[0] || failed, seen[1] || !failed
		results[key] = seen
		if !before && seen[0] && seen[1] {
			h.mixed[fullName(suite, "dune-common", name)]++
		}
		if failed {
			h.failed[fullName(suite, "dune-common", name)]++
		}
		if i+1 == len(rest) || rest[i+1][runColumn] != run {
			at, err := time.Parse("2006-01-02 15:04:05.000", run)
			require.NoError(t, err)
			r.upload(at, suite, run, "commit-"+row[cycleColumn], "job", data)
			data = data[:0]
		}
	}
	h.uploads = r.done()
	return h
}

// Tests that passed and failed on one commit, and on a second one again, are
// flaky for sure. Who failed without that may be either. Who never failed, or
// never passed, is not.
func (h duneHistory) labels(onCommits int) (truly, either map[string]bool) {
	truly, either = map[string]bool{}, map[string]bool{}
	for name, failed := range h.failed {
		switch {
		case h.mixed[name] >= onCommits:
			truly[name] = true
		case failed > 1:
			either[name] = true
		}
	}
	return truly, either
}

func TestRealHistoryOfDuneOnDebian(t *testing.T) {
	h := readDune(t, "dune_deb11.csv.gz", "dune-deb11")
	verdicts := readVerdicts(t, backtest(t, h.uploads))
	truly, either := h.labels(3)
	require.Len(t, truly, 12)

	detected := judge(named(verdicts, testengine.FlakyDetected), truly, either)
	t.Logf("detected: precision %.2f recall %.2f, wrong %q, missed %q", detected.precision(), detected.recall(), detected.wrong, detected.missed)
	suspected := judge(named(verdicts, testengine.FlakySuspected), truly, either)
	t.Logf("suspected: recall %.2f, missed %q", suspected.recall(), suspected.missed)
	require.Empty(t, detected.wrong)
	require.GreaterOrEqual(t, detected.recall(), 0.8)
	require.GreaterOrEqual(t, suspected.recall(), 0.9)
}

func TestRealHistoryOfDuneOnUbuntu(t *testing.T) {
	h := readDune(t, "dune_ub.csv.gz", "dune-ub")
	verdicts := readVerdicts(t, backtest(t, h.uploads))
	// Three tests fail together for weeks here; whether that is one cause nobody has written down.
	truly, either := h.labels(5)
	require.Empty(t, truly)
	for name := range h.mixed {
		either[name] = true
	}
	delete(either, fullName("dune-ub", "dune-common", "test 172"))
	delete(either, fullName("dune-ub", "dune-common", "test 217"))

	detected := judge(named(verdicts, testengine.FlakyDetected), truly, either)
	t.Logf("detected %v, broken %v", named(verdicts, testengine.FlakyDetected), named(verdicts, testengine.TestBroken))
	require.Empty(t, detected.wrong, "tests that failed once, or always, are not flaky")
	require.True(t, named(verdicts, testengine.TestBroken)[fullName("dune-ub", "dune-common", "test 172")],
		"the test that fails in all 379 runs is broken")
}
