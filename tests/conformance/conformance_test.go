// Package conformance holds every plugin of the bundle to the same promises:
// it explains itself, every field does, and its examples lint.
package conformance

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	_ "github.com/redpanda-data/connect/v4/public/components/kafka"

	_ "github.com/connect-testengine/connect-testengine/plugins/all"
)

// ours is every component of the bundle by kind; a new one is a row here.
var ours = map[string][]string{
	"input":      {"collector_http", "testengine_api", "upload_log", "ci_simulator", "upload_history", "webhook_http", "webhook_reassemble", "kafka_stateful"},
	"buffer":     {"upload_log"},
	"processor":  {"upload_decode", "for_each_execution", "execution_enrich", "flaky_detect", "record_encode", "record_decode", "window_aggregate", "webhook_chunk", "webhook_reassemble"},
	"rate_limit": {"adaptive"},
	"output":     {"duckdb", "ndjson_file", "kafka_blocks"},
}

var resources = []string{"http_listener", "testengine_state", "duckdb_database", "testengine_schemas", "kafka_transaction"}

func view(t *testing.T, kind, name string) *service.ConfigView {
	t.Helper()
	env := service.GlobalEnvironment()
	var found bool
	var view *service.ConfigView
	switch kind {
	case "input":
		view, found = env.GetInputConfig(name)
	case "buffer":
		view, found = env.GetBufferConfig(name)
	case "processor":
		view, found = env.GetProcessorConfig(name)
	case "rate_limit":
		view, found = env.GetRateLimitConfig(name)
	case "output":
		view, found = env.GetOutputConfig(name)
	}
	require.True(t, found, "%s %s is not registered", kind, name)
	return view
}

func TestEveryPluginExplainsItself(t *testing.T) {
	for kind, names := range ours {
		for _, name := range names {
			t.Run(kind+" "+name, func(t *testing.T) {
				data, err := view(t, kind, name).TemplateData()
				require.NoError(t, err)
				require.NotEmpty(t, data.Summary, "a summary says what it is for")
				require.True(t, strings.HasSuffix(strings.TrimSpace(data.Summary), "."), "the summary is a sentence")
				require.NotEmpty(t, data.Version, "the version says since when it is there")
				require.NotEmpty(t, data.Categories, "a category finds it in lists")
				require.NotEmpty(t, data.Examples, "an example shows how it is used")
				explainsItsFields(t, data.Fields)
			})
		}
	}
}

func TestEveryResourceExplainsItsFields(t *testing.T) {
	for _, name := range resources {
		t.Run(name, func(t *testing.T) {
			data, err := service.GlobalEnvironment().FullConfigSchema("", "").TemplateData(name)
			require.NoError(t, err)
			explainsItsFields(t, data.Fields)
		})
	}
}

func explainsItsFields(t *testing.T, fields []service.TemplateDataPluginField) {
	t.Helper()
	for _, field := range fields {
		if strings.HasSuffix(field.FullName, "label") {
			continue
		}
		require.NotEmpty(t, field.Description, "field %s says nothing about itself", field.FullName)
		lower := strings.ToLower(field.FullName)
		if strings.HasSuffix(lower, "token") && !strings.HasPrefix(lower, "require_") || strings.HasSuffix(lower, "password") {
			require.True(t, field.IsSecret, "field %s holds a secret and is not marked so", field.FullName)
		}
	}
}

func TestEveryExampleLints(t *testing.T) {
	linter := service.GlobalEnvironment().FullConfigSchema("", "").NewStreamConfigLinter().
		SetSkipEnvVarCheck(true)
	for kind, names := range ours {
		for _, name := range names {
			data, err := view(t, kind, name).TemplateData()
			require.NoError(t, err)
			for _, example := range data.Examples {
				t.Run(kind+" "+name+": "+example.Title, func(t *testing.T) {
					var parsed map[string]any
					require.NoError(t, yaml.Unmarshal([]byte(example.Config), &parsed))
					require.NotEmpty(t, parsed)
					lints, err := linter.LintYAML([]byte(example.Config))
					require.NoError(t, err)
					require.Empty(t, lints)
				})
			}
		}
	}
}
