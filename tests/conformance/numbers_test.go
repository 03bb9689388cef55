package conformance

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// anyNumber are the fields that mean something for a negative number too.
var anyNumber = map[string]bool{
	"input ci_simulator seed": true, // another number, another world
}

// A negative limit was taken for none in silence: lint names the field, for every number of every plugin.
func TestNoNumberIsNegativeUnlessItMeansSomething(t *testing.T) {
	linter := service.GlobalEnvironment().FullConfigSchema("", "").NewStreamConfigLinter().SetSkipEnvVarCheck(true)
	looked := 0
	for _, one := range registered(t) {
		if one.kind == "resource" {
			continue
		}
		data, err := view(t, one.kind, one.name).TemplateData()
		require.NoError(t, err)
		for _, field := range data.Fields {
			name := one.kind + " " + one.name + " " + field.FullName
			if field.Type != "int" && field.Type != "float" || strings.Contains(field.FullName, "[]") || anyNumber[name] {
				continue
			}
			looked++
			config, err := yaml.Marshal(configOf(one, field.FullName, -1))
			require.NoError(t, err)
			lints, err := linter.LintYAML(config)
			require.NoError(t, err, name)
			keys := strings.Split(field.FullName, ".")
			said := false
			for _, lint := range lints {
				said = said || strings.Contains(lint.What, keys[len(keys)-1]) && (strings.Contains(lint.What, "must") || strings.Contains(lint.What, "needs"))
			}
			require.True(t, said, "lint takes -1 for %s: %v", name, lints)
		}
	}
	require.Greater(t, looked, 60)
}

// configOf is a configuration in which a plugin has that value at a path.
func configOf(one plugin, path string, value any) map[string]any {
	at := value
	keys := strings.Split(path, ".")
	for _, key := range slices.Backward(keys) {
		at = map[string]any{key: at}
	}
	if one.name == "upload_log" { // its folder must be given, and is looked for first
		at.(map[string]any)["path"] = "log" //nolint:forcetypeassert // made above
	}
	component := map[string]any{one.name: at}
	switch one.kind {
	case "processor":
		return map[string]any{"pipeline": map[string]any{"processors": []any{component}}}
	case "rate_limit":
		component["label"] = "limit"
		return map[string]any{"rate_limit_resources": []any{component}}
	}
	return map[string]any{one.kind: component}
}

// The host's lint has no type for a default that is a list of Go's strings, and said so instead of what is wrong.
func TestRulesSaySentencesOfTheirOwn(t *testing.T) {
	linter := service.GlobalEnvironment().FullConfigSchema("", "").NewStreamConfigLinter().SetSkipEnvVarCheck(true)
	for _, one := range registered(t) {
		if one.kind == "resource" {
			continue
		}
		config, err := yaml.Marshal(configOf(one, "label_of_nothing", 1))
		require.NoError(t, err)
		lints, err := linter.LintYAML(config)
		require.NoError(t, err)
		for _, lint := range lints {
			require.NotContains(t, lint.What, "failed assignment", "%s %s", one.kind, one.name)
		}
	}
}
