package world

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func small(seed uint64) Config {
	return Config{
		Seed: seed, Organization: "local", Suites: 3, TestsPerSuite: 120, Days: 4, CommitsPerDay: 12, Branches: 5,
		Jobs: 2, Hosts: 8, Retries: 1, FlakyShare: 0.06, RegressionShare: 0.3, StormsPerDay: 2, DuplicateShare: 0.02,
	}
}

func uploadsUntil(t *testing.T, w *World, until int64) []Upload {
	t.Helper()
	var uploads []Upload
	for {
		upload := w.Next()
		if upload.At > until {
			return uploads
		}
		uploads = append(uploads, upload)
	}
}

func digest(uploads []Upload) string {
	sum := sha256.New()
	for _, upload := range uploads {
		sum.Write([]byte(upload.Suite))
		sum.Write(upload.Body)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func TestTheSameSeedWritesTheSameBytes(t *testing.T) {
	written := func(seed uint64, offset int64) string {
		w, err := New(small(seed))
		require.NoError(t, err)
		w.SetOffset(offset)
		return digest(uploadsUntil(t, w, 2*Day))
	}
	require.Equal(t, written(7, 0), written(7, 1_700_000_000_000))
	require.NotEqual(t, written(7, 0), written(8, 0))
}

func TestSkippingGivesTheSameUploadsAfterwards(t *testing.T) {
	whole, err := New(small(3))
	require.NoError(t, err)
	skipped, err := New(small(3))
	require.NoError(t, err)

	all := uploadsUntil(t, whole, 3*Day)
	skipped.Skip(Day)
	rest := uploadsUntil(t, skipped, 3*Day)

	require.Less(t, len(rest), len(all))
	require.Greater(t, rest[0].At, Day)
	// A duplicate of an upload that was skipped is not delivered.
	require.Equal(t, digest(all[len(all)-50:]), digest(rest[len(rest)-50:]))
	require.Equal(t, whole.Truth(true).Tests, skipped.Truth(true).Tests)
}

func TestUploadsComeInOrderOfTime(t *testing.T) {
	w, err := New(small(5))
	require.NoError(t, err)
	last := int64(0)
	suites := map[string]bool{}
	for _, upload := range uploadsUntil(t, w, 3*Day) {
		require.GreaterOrEqual(t, upload.At, last)
		last = upload.At
		suites[upload.Suite] = true
	}
	require.Len(t, suites, 3)
}

// body is what this test reads of an upload.
type body struct {
	Format string            `json:"format"`
	RunEnv map[string]string `json:"run_env"`
	Tags   map[string]string `json:"tags"`
	Data   []struct {
		Scope         string `json:"scope"`
		Name          string `json:"name"`
		Result        string `json:"result"`
		FailureReason string `json:"failure_reason"`
		History       struct {
			Duration *float64 `json:"duration"`
		} `json:"history"`
	} `json:"data"`
}

func TestTheTruthIsWhatTheUploadsSay(t *testing.T) {
	config := small(11)
	config.DuplicateShare = 0
	w, err := New(config)
	require.NoError(t, err)
	failures, executions := map[string]int{}, map[string]int{}
	count := 0
	for count < 1500 {
		upload := w.Next()
		count++
		seed := testengine.SuiteSeed("local", upload.Suite)
		var read body
		require.NoError(t, json.Unmarshal(upload.Body, &read), string(upload.Body[:200]))
		require.Equal(t, "json", read.Format)
		require.NotEmpty(t, read.RunEnv["key"])
		require.NotEmpty(t, read.RunEnv["commit_sha"])
		require.NotEmpty(t, read.Tags["ci.worker.id"])
		require.Len(t, read.Data, upload.Executions)
		for _, e := range read.Data {
			require.NotNil(t, e.History.Duration)
			id := testengine.FormatID(testengine.TestID(seed, e.Scope, e.Name))
			switch e.Result {
			case "failed":
				require.NotEmpty(t, e.FailureReason)
				failures[id]++
				executions[id]++
			case "passed":
				executions[id]++
			}
		}
	}

	kinds := map[Kind]int{}
	caused := Failures{}
	truth := w.Truth(true)
	require.Len(t, truth.Tests, 360)
	for _, test := range truth.Tests {
		require.Equal(t, failures[test.TestID], test.Failures.Flaky+test.Failures.Regression+test.Failures.Storm, test.Name)
		require.Equal(t, executions[test.TestID], test.Executions, test.Name)
		if test.Kind == Stable {
			require.Zero(t, test.Failures.Flaky)
		}
		kinds[test.Kind]++
		caused.Flaky += test.Failures.Flaky
		caused.Regression += test.Failures.Regression
		caused.Storm += test.Failures.Storm
	}
	require.Len(t, kinds, 7, "every kind of flaky test, and stable ones: %v", kinds)
	require.Positive(t, caused.Flaky)
	require.Positive(t, caused.Regression)
	require.Positive(t, caused.Storm)
	require.NotEmpty(t, truth.Regressions)
	require.NotEmpty(t, truth.Storms)
	t.Logf("%d uploads, kinds %v, failures %+v", count, kinds, caused)
}

func TestAConfigurationThatCannotBeIsRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Config)
		says   string
	}{
		{"no suite", func(c *Config) { c.Suites = 0 }, "suites must be at least 1"},
		{"a share above one", func(c *Config) { c.FlakyShare = 1.5 }, "flaky_share must be between 0 and 1"},
		{"storms below zero", func(c *Config) { c.StormsPerDay = -1 }, "storms_per_day must be between"},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := small(1)
			test.change(&config)
			_, err := New(config)
			require.ErrorContains(t, err, test.says)
		})
	}
}

func TestAWorldWithoutFaultsNeverFails(t *testing.T) {
	config := small(2)
	config.FlakyShare, config.RegressionShare, config.StormsPerDay, config.Branches = 0, 0, 0, 0
	w, err := New(config)
	require.NoError(t, err)
	require.NotEmpty(t, uploadsUntil(t, w, 3*Day))
	require.Empty(t, w.Truth(false).Tests)
}

func BenchmarkNext(b *testing.B) {
	config := small(1)
	config.TestsPerSuite, config.Days, config.CommitsPerDay = 300, 14, 20
	w, err := New(config)
	require.NoError(b, err)
	executions, bytes := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		upload := w.Next()
		executions += upload.Executions
		bytes += len(upload.Body)
	}
	b.ReportMetric(float64(executions)/b.Elapsed().Seconds(), "executions/s")
	b.ReportMetric(float64(bytes)/float64(executions), "bytes/execution")
}
