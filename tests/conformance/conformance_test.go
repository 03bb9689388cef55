// Package conformance holds every plugin of the bundle to the same promises:
// it explains itself, every field does, and its examples lint.
package conformance

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	_ "github.com/redpanda-data/connect/v4/public/components/kafka"

	_ "github.com/connect-testengine/connect-testengine/plugins/all"
	"github.com/connect-testengine/connect-testengine/plugins/message/resource"
)

// plugin is a component or a resource of the bundle.
type plugin struct{ folder, kind, name string }

var (
	// A plugin registers itself under a text, or under a constant of its package.
	registration = regexp.MustCompile(`(?:Register(?:Batch)?(Input|Output|Processor|Buffer|RateLimit)|(resource\.Register))\("?(\w+)"?,`)
	constant     = regexp.MustCompile(`(?m)^\s*(?:const )?(\w+)\s*=\s*"(\w+)"$`)
	kinds        = map[string]string{
		"Input": "input", "Output": "output", "Processor": "processor", "Buffer": "buffer", "RateLimit": "rate_limit", "": "resource",
	}
)

// registered finds every plugin by the call that registers it, so that none is forgotten.
func registered(t *testing.T) (all []plugin) {
	t.Helper()
	files, err := filepath.Glob("../../plugins/*/*.go")
	require.NoError(t, err)
	sources, constants := map[string]string{}, map[string]map[string]string{} // by folder
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		folder := filepath.Base(filepath.Dir(file))
		sources[folder] += string(raw)
	}
	for folder, source := range sources {
		constants[folder] = map[string]string{}
		for _, match := range constant.FindAllStringSubmatch(source, -1) {
			constants[folder][match[1]] = match[2]
		}
		for _, match := range registration.FindAllStringSubmatch(source, -1) {
			name := match[3]
			if value, ok := constants[folder][name]; ok {
				name = value
			}
			all = append(all, plugin{folder, kinds[match[1]], name})
		}
	}
	require.Greater(t, len(all), 20)
	return all
}

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

// said is what a plugin says of itself.
func said(t *testing.T, kind, name string) (data service.TemplateDataPlugin) {
	t.Helper()
	var err error
	if kind == "resource" {
		data, err = resource.Describe(name)
	} else {
		data, err = view(t, kind, name).TemplateData()
	}
	require.NoError(t, err)
	return data
}

var metric = regexp.MustCompile(`New(?:Counter|Gauge|Timer)\("(\w+)"`)

// Whoever watches the service finds what a figure means beside the component that counts it.
func TestEveryMetricIsExplained(t *testing.T) {
	files, err := filepath.Glob("../../plugins/*/*.go")
	require.NoError(t, err)
	found := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		reference, err := os.ReadFile(filepath.Join(filepath.Dir(file), "README.md"))
		if os.IsNotExist(err) {
			continue
		}
		require.NoError(t, err)
		for _, match := range metric.FindAllStringSubmatch(string(source), -1) {
			found++
			require.Contains(t, string(reference), match[1], "%s: the component's description says what it counts", file)
		}
	}
	require.Greater(t, found, 50)
}

func TestEveryPluginExplainsItself(t *testing.T) {
	for _, one := range registered(t) {
		t.Run(one.kind+" "+one.name, func(t *testing.T) {
			reference, err := os.ReadFile(filepath.Join("../../plugins", one.folder, "README.md"))
			require.NoError(t, err)
			require.Contains(t, string(reference), "\n## "+one.kind+" `"+one.name+"`\n", "make docs writes its reference (capabilities in cmd/connect-testengine/docs.go)")
			if one.kind == "resource" {
				data, err := service.GlobalEnvironment().FullConfigSchema("", "").TemplateData(one.name)
				require.NoError(t, err)
				explainsItsFields(t, data.Fields)
			}
			data := said(t, one.kind, one.name)
			require.Contains(t, string(reference), data.Description)
			require.NotEmpty(t, data.Summary, "a summary says what it is for")
			require.True(t, strings.HasSuffix(strings.TrimSpace(data.Summary), "."), "the summary is a sentence")
			require.NotEmpty(t, data.Version, "the version says since when it is there")
			require.NotEmpty(t, data.Categories, "a category finds it in lists")
			require.NotEmpty(t, data.Examples, "an example shows how it is used")
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
	for _, one := range registered(t) {
		for _, example := range said(t, one.kind, one.name).Examples {
			t.Run(one.kind+" "+one.name+": "+example.Title, func(t *testing.T) {
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
