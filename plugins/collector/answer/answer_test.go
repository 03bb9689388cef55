package answer

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAcceptedSatisfiesEveryClient(t *testing.T) {
	accepted := Accepted{UploadID: "up_1", RunID: "run_2", Queued: 3, SuiteURL: SuiteURL("https://te.example", "acme", "a b/c")}
	body := string(accepted.AppendJSON(nil))

	require.Equal(t, 1, strings.Count(body, "\n"), "the plugin without jq reads one line")
	require.Contains(t, body, `"run_url":"https://te.example/acme/suites/a%20b%2Fc/runs/run_2"`)
	var rust struct {
		ID      string    `json:"id"`
		RunID   string    `json:"run_id"`
		Queued  *int      `json:"queued"`
		Skipped *int      `json:"skipped"`
		Errors  *[]string `json:"errors"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &rust))
	require.Equal(t, "up_1", rust.ID)
	require.Equal(t, "run_2", rust.RunID)
	require.Equal(t, 3, *rust.Queued)
	require.Equal(t, 0, *rust.Skipped)
	require.NotNil(t, rust.Errors)
	require.Empty(t, *rust.Errors, "an array, never null")
	var swift struct {
		UploadID  string `json:"upload_id"`
		UploadURL string `json:"upload_url"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &swift))
	require.Equal(t, "up_1", swift.UploadID)
	require.Equal(t, "https://te.example/acme/suites/a%20b%2Fc/uploads/up_1", swift.UploadURL)
}

func TestMessageIsJSONWhateverItQuotes(t *testing.T) {
	var decoded map[string]string
	require.NoError(t, json.Unmarshal(AppendMessage(nil, "format \"x\xff\n\" is unknown"), &decoded))
	require.Contains(t, decoded["message"], "is unknown")
}

func TestVariables(t *testing.T) {
	require.Equal(t, `export BUILDKITE_ANALYTICS_TOKEN=te_1                                     # every collector
export BUILDKITE_ANALYTICS_BASE_URL=http://127.0.0.1:8420/v1/uploads      # JavaScript (Jest, Vitest, Mocha, Cypress, Playwright, Jasmine)
export BUILDKITE_ANALYTICS_API_URL=http://127.0.0.1:8420/v1               # Python (pytest)
export BUILDKITE_ANALYTICS_ENDPOINT=http://127.0.0.1:8420/v1/uploads      # Ruby (RSpec, Minitest, Cucumber)
export BUILDKITE_TEST_ENGINE_UPLOAD_BASE_URL=http://127.0.0.1:8420        # bktec
export BUILDKITE_ANALYTICS_OTLP_ENDPOINT=http://127.0.0.1:8420/v1/traces  # Ruby with OpenTelemetry; others: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
`, Variables("http://127.0.0.1:8420", "te_1"))
}
