package detect_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/detect"
)

func TestASectionIsWrittenAsTheFieldsOfThePipelineAre(t *testing.T) {
	body, err := detect.Section(map[string]any{
		"run_idle": "5m", "variant_tags": []any{"host.os"},
		"storm_guard":      map[string]any{"enabled": false, "window": "2h", "factor": 4},
		"passed_on_retry":  map[string]any{"dry_run": true, "wait_ms": 60_000},
		"transition_count": map[string]any{"enabled": true},
	})
	require.NoError(t, err)
	settings, err := detect.DefaultSettings().Override([]byte(body))
	require.NoError(t, err)
	want := detect.DefaultSettings()
	want.RunIdle = (5 * time.Minute).Milliseconds()
	want.VariantTags = []string{"host.os"}
	want.Storm.Disabled, want.Storm.Window, want.Storm.Factor = true, (2 * time.Hour).Milliseconds(), 4
	want.Retry.DryRun, want.Retry.Wait = true, time.Minute.Milliseconds()
	require.Equal(t, want, settings)
}

func TestASectionThatCannotBeKeptIsRefused(t *testing.T) {
	body := []byte(`{"run_idle_ms":60000}` + strings.Repeat(" ", 40_000))
	_, err := detect.DefaultSettings().Override(body)
	require.EqualError(t, err, "reading the detection section: it has 40021 bytes, at most 32768 can be kept")
}

func TestAMistakeInASectionNamesItsField(t *testing.T) {
	for _, c := range []struct {
		name    string
		written map[string]any
		says    string
	}{
		{"a misspelt field", map[string]any{"variant_tag": "x"}, "variant_tag: there is no such field; there are broken_test, commit_ttl, default_branches,"},
		{"a field of another object", map[string]any{"healing": map[string]any{"enabled": false}}, "healing.enabled: there is no such field; there are factor, gap,"},
		{"a field that is not a suite's", map[string]any{"state": "state"}, "state: there is no such field"},
		{"a duration in words", map[string]any{"run_idle": "soon"}, "run_idle: soon is no duration such as 10m"},
		{"a duration without unit", map[string]any{"healing": map[string]any{"quiet": 7}}, "healing.quiet: 7 is no duration such as 10m"},
		{"a duration below nothing", map[string]any{"run_idle": "-5m"}, "run_idle: -5m is no duration such as 10m"},
		{"a word for a truth", map[string]any{"storm_guard": map[string]any{"enabled": "no"}}, "storm_guard.enabled: true or false is expected"},
		{"a word for a number", map[string]any{"storm_guard": map[string]any{"factor": "lots"}}, "storm_guard.factor: a string does not fit"},
		{"a share above one", map[string]any{"storm_guard": map[string]any{"share": 1.5}}, "storm_guard.share: 0 to 1 is expected"},
		{"a belief below zero", map[string]any{"three_state_filter": map[string]any{"alarm": -.1}}, "three_state_filter.alarm: 0 to 1 is expected"},
		{"a count of nothing", map[string]any{"broken_test": map[string]any{"commits": 0}}, "broken_test.commits: at least 1 is expected"},
		{"a negative count", map[string]any{"storm_guard": map[string]any{"min_failures": -1}}, "storm_guard.min_failures: at least 1 is expected"},
		{"a negative factor", map[string]any{"healing": map[string]any{"factor": -1.5}}, "healing.factor: a number from 0 on is expected"},
		{"a number for an object", map[string]any{"storm_guard": 7}, "storm_guard: fields are expected"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := detect.Section(c.written)
			require.ErrorContains(t, err, c.says)
		})
	}
}
