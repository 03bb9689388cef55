// Package deploy looks at the files for those who run containers: what they name
// has to exist. No engine runs them here.
package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/connect-testengine/connect-testengine/tests/harness"
)

type service struct {
	Image       string            `yaml:"image"`
	Build       map[string]string `yaml:"build"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Ports       []string          `yaml:"ports"`
	Volumes     []string          `yaml:"volumes"`
	Restart     string            `yaml:"restart"`
	Profiles    []string          `yaml:"profiles"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	Healthcheck map[string]any `yaml:"healthcheck"`
}

type compose struct {
	Name     string             `yaml:"name"`
	Pipeline yaml.Node          `yaml:"x-pipeline"`
	Services map[string]service `yaml:"services"`
	Volumes  map[string]any     `yaml:"volumes"`
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(harness.Root(), path))
	require.NoError(t, err)
	return string(raw)
}

func TestTheComposeFileNamesOnlyWhatExists(t *testing.T) {
	var file compose
	decoder := yaml.NewDecoder(strings.NewReader(read(t, "config/compose.yaml")))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(&file))
	variables := read(t, "config/env.example")
	for name, one := range file.Services {
		require.NotEmpty(t, one.Image, name)
		for needed, on := range one.DependsOn {
			require.Contains(t, file.Services, needed, "%s depends on it", name)
			if on.Condition == "service_healthy" {
				require.NotEmpty(t, file.Services[needed].Healthcheck, "%s waits for the health of %s", name, needed)
			}
		}
		for _, volume := range one.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			require.Contains(t, file.Volumes, source, "%s mounts it", name)
		}
		for _, port := range one.Ports {
			require.True(t, strings.HasPrefix(port, "127.0.0.1:"), "%s opens %s to the network", name, port)
		}
		if one.Image != "connect-testengine" {
			require.Regexp(t, `:\d`, one.Image, "%s has no version", name)
			continue
		}
		if one.Command[0] == "run" {
			require.Equal(t, "pipelines/"+name+".yaml", one.Command[1])
			require.FileExists(t, filepath.Join(harness.Root(), one.Command[1]))
		}
		for variable := range one.Environment {
			require.Contains(t, variables, "\n"+variable+"=", "config/env.example explains every variable")
		}
	}
	require.FileExists(t, filepath.Join(harness.Root(), "config", file.Services["topics"].Build["context"], file.Services["topics"].Build["dockerfile"]))
}

// ${NAME} or ${NAME:default}, as Connect reads it.
var inPipelines = regexp.MustCompile(`\$\{([A-Z][A-Z0-9_]*)(?::([^}]*))?\}`)

func TestTheExampleOfTheEnvironmentNamesTheVariablesOfAllPipelinesWithADefault(t *testing.T) {
	explained := map[string]string{}
	for line := range strings.Lines(read(t, "config/env.example")) {
		if name, value, is := strings.Cut(strings.TrimSpace(line), "="); is && !strings.HasPrefix(line, "#") {
			explained[name] = value
		}
	}
	files, err := filepath.Glob(filepath.Join(harness.Root(), "pipelines", "*.yaml"))
	require.NoError(t, err)
	used := map[string]map[string]bool{} // by variable, its defaults
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range inPipelines.FindAllStringSubmatch(string(raw), -1) {
			require.Contains(t, explained, match[1], "%s uses it", filepath.Base(file))
			if used[match[1]] == nil {
				used[match[1]] = map[string]bool{}
			}
			used[match[1]][match[2]] = true
		}
	}
	for name, value := range explained {
		require.NotEmpty(t, used[name], "no pipeline uses %s", name)
		require.True(t, used[name][value], "%s is %q in no pipeline", name, value)
	}
}

func TestTheDockerfileCopiesWhatExistsAndBuildsWithOurGo(t *testing.T) {
	text := read(t, "config/Dockerfile")
	stages := map[string]bool{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) > 3 && fields[0] == "FROM" && fields[2] == "AS":
			stages[fields[3]] = true
		case len(fields) > 1 && fields[0] == "COPY" && strings.HasPrefix(fields[1], "--from="):
			require.True(t, stages[strings.TrimPrefix(fields[1], "--from=")], line)
		case len(fields) > 1 && fields[0] == "COPY":
			for _, source := range fields[1 : len(fields)-1] {
				_, err := os.Stat(filepath.Join(harness.Root(), source))
				require.NoError(t, err, line)
			}
		}
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "go.mod"))[1]
	require.Contains(t, text, "FROM golang:"+version+"-")
	require.Regexp(t, `(?m)^USER testengine$`, text, "the process is not root")
}
