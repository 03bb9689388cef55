package query

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func TestParseMeasuresAndKeys(t *testing.T) {
	measures, err := ParseMeasures("p50_duration, failed,failed")
	require.NoError(t, err)
	require.Equal(t, []Measure{P50Duration, Failed}, measures, "a measure named twice counts once")

	keys, err := ParseBy(" host.type,host.arch ")
	require.NoError(t, err)
	s := Slice{Measures: measures, By: keys}
	require.Equal(t, []string{"host.type", "host.arch", "p50_duration", "failed"}, s.Columns())

	none, err := ParseBy("")
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestSliceRefuses(t *testing.T) {
	for _, test := range []struct {
		name  string
		parse func() error
		says  string
	}{
		{"a measure nobody computes", func() error { _, err := ParseMeasures("speed"); return err }, `measure: "speed" is no measure; there are executions, passed`},
		{"more measures than fit", func() error {
			_, err := ParseMeasures("executions,passed,failed,skipped,tests,runs,failure_rate,reliability,p50_duration")
			return err
		}, "measure: at most 8"},
		{"a fourth key", func() error { _, err := ParseBy("a,b,c,d"); return err }, "by: at most 3 keys, these are 4"},
		{"a key twice", func() error { _, err := ParseBy("a,a"); return err }, `by: "a" is named twice`},
		{"an empty key", func() error { _, err := ParseBy("a,"); return err }, "by: the key is empty"},
		{"a measure as key, since columns would clash", func() error { _, err := ParseBy("failed"); return err }, `by: "failed" is a measure`},
	} {
		t.Run(test.name, func(t *testing.T) { require.ErrorContains(t, test.parse(), test.says) })
	}
}

func TestParseRange(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	noon := now.UnixMilli()
	for _, test := range []struct {
		name, period, minimum, maximum string
		want                           Range
	}{
		{"a period ends now and stays open", "1hour", "", "", Range{Min: noon - 3600_000}},
		{"without anything the fallback holds", "", "", "", Range{Min: noon - 7*86400_000}},
		{"timestamps are RFC 3339", "", "2026-11-23T12:00:00Z", "2026-11-23T13:00:00+01:00", Range{}},
		{"or days", "", "2026-11-23", "", Range{Min: noon - 12*3600_000}},
		{"or unix seconds", "", "1795435200", "", Range{Min: 1795435200_000}},
		{"or milliseconds", "", "1795435200123", "", Range{Min: 1795435200123}},
		{"or what a form sends", "", "", "2026-11-23T12:00", Range{Max: noon}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := ParseRange(test.period, test.minimum, test.maximum, "7days", now)
			if test.want == (Range{}) {
				require.ErrorContains(t, err, "min_timestamp: it must be before max_timestamp", "the same moment in two zones")
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, r)
		})
	}
	for _, test := range []struct{ name, period, minimum, maximum, says string }{
		{"a period nobody offers", "2years", "", "", `period: "2years" is no period; there are 1hour, 4hours`},
		{"both at once", "1day", "2026-01-01", "", "period: give either period or min_timestamp"},
		{"a moment before computers", "", "1969-01-01", "", "is before 1970"},
		{"words", "", "yesterday", "", `min_timestamp: "yesterday" is no time`},
		{"microseconds", "", "1795435200123456", "", "lies too far ahead"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseRange(test.period, test.minimum, test.maximum, "7days", now)
			require.ErrorContains(t, err, test.says)
		})
	}
}

func TestStateAfter(t *testing.T) {
	for event, want := range map[testengine.VerdictType]State{
		testengine.FlakySuspected: StateSuspected, testengine.FlakyDetected: StateFlaky, testengine.FlakyUpdated: StateFlaky,
		testengine.FlakyHealed: StateHealthy, testengine.FlakyRetracted: StateHealthy, testengine.TestFixed: StateHealthy,
		testengine.FlakyStale: StateStale, testengine.TestBroken: StateBroken,
	} {
		state, ok := StateAfter(event)
		require.True(t, ok, event)
		require.Equal(t, want, state, event)
	}
	_, ok := StateAfter(testengine.DurationSlower)
	require.False(t, ok, "a slower test stays what it was")
}

func TestRunResult(t *testing.T) {
	for _, test := range []struct {
		name string
		run  Run
		want string
	}{
		{"a run without results is pending", Run{State: RunFinished}, "pending"},
		{"a running run has not passed yet", Run{State: RunRunning, Counts: Counts{Passed: 3}}, "pending"},
		{"a finished one has", Run{State: RunFinished, Counts: Counts{Passed: 3}}, "passed"},
		{"one failure fails it at once, whatever passes later", Run{State: RunRunning, Counts: Counts{Passed: 3, Failed: 1}}, "failed"},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, test.run.Result()) })
	}
}

func TestReliability(t *testing.T) {
	r, ok := Counts{Passed: 3, Failed: 1, Skipped: 9, Unknown: 2, Pending: 1}.Reliability()
	require.True(t, ok)
	require.InDelta(t, 0.75, r, 0, "skipped and unknown say nothing")
	_, ok = Counts{Skipped: 1}.Reliability()
	require.False(t, ok)
}
