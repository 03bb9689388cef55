package answer

import "strings"

// Variables is what a team pastes into CI so that its collectors report here:
// one line a collector, each in the spelling that collector wants.
func Variables(base, token string) string {
	lines := []struct{ name, value, who string }{
		{"BUILDKITE_ANALYTICS_TOKEN", token, "every collector"},
		{"BUILDKITE_ANALYTICS_BASE_URL", base + "/v1/uploads", "JavaScript (Jest, Vitest, Mocha, Cypress, Playwright, Jasmine)"},
		{"BUILDKITE_ANALYTICS_API_URL", base + "/v1", "Python (pytest)"},
		{"BUILDKITE_ANALYTICS_ENDPOINT", base + "/v1/uploads", "Ruby (RSpec, Minitest, Cucumber)"},
		{"BUILDKITE_TEST_ENGINE_UPLOAD_BASE_URL", base, "bktec"},
		{"BUILDKITE_ANALYTICS_OTLP_ENDPOINT", base + "/v1/traces", "Ruby with OpenTelemetry; others: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"},
	}
	width := 0
	for _, line := range lines {
		width = max(width, len(line.name)+1+len(line.value))
	}
	var b strings.Builder
	for _, line := range lines {
		assignment := line.name + "=" + line.value
		b.WriteString("export " + assignment + strings.Repeat(" ", width-len(assignment)) + "  # " + line.who + "\n")
	}
	return b.String()
}
