// Package histories plays labelled histories through pipelines/backtest_detection.yaml
// and scores the verdicts: two real ones, and worlds of the simulator.
package histories

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	_ "github.com/connect-testengine/connect-testengine/plugins/flaky"
	_ "github.com/connect-testengine/connect-testengine/plugins/simulate"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	_ "github.com/connect-testengine/connect-testengine/plugins/upload"
)

const pipelineFile = "../../pipelines/backtest_detection.yaml"

// backtest runs the pipeline as it stands over a file of uploads and returns
// the file of verdicts. Settings replace parts of the YAML.
func backtest(t *testing.T, uploads string, settings ...string) string {
	t.Helper()
	yaml, err := os.ReadFile(pipelineFile)
	require.NoError(t, err)
	text := strings.NewReplacer(settings...).Replace(string(yaml))
	verdicts := filepath.Join(t.TempDir(), "verdicts.ndjson")
	settingsOf := map[string]string{"BACKTEST_UPLOADS": uploads, "BACKTEST_VERDICTS": verdicts}

	builder := service.NewStreamBuilder()
	builder.SetEnvVarLookupFunc(func(name string) (string, bool) {
		value, ok := settingsOf[name]
		return value, ok
	})
	require.NoError(t, builder.SetYAML(text))
	stream, err := builder.Build()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	require.NoError(t, stream.Run(ctx))
	return verdicts
}

func readVerdicts(t *testing.T, path string) (verdicts []testengine.Verdict) {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var verdict testengine.Verdict
		require.NoError(t, json.Unmarshal(lines.Bytes(), &verdict))
		verdicts = append(verdicts, verdict)
	}
	require.NoError(t, lines.Err())
	return verdicts
}

// named returns the names of the tests that got a verdict of that type.
func named(verdicts []testengine.Verdict, kind testengine.VerdictType) map[string]bool {
	names := map[string]bool{}
	for i := range verdicts {
		if verdicts[i].Type == kind {
			names[fullName(verdicts[i].Suite, verdicts[i].Scope, verdicts[i].Name)] = true
		}
	}
	return names
}

func fullName(suite, scope, name string) string { return suite + " " + scope + " " + name }

// score counts what was said rightly, wrongly and not at all.
type score struct{ right, wrong, missed []string }

func judge(said, truly, either map[string]bool) (s score) {
	for name := range said {
		switch {
		case truly[name]:
			s.right = append(s.right, name)
		case !either[name]:
			s.wrong = append(s.wrong, name)
		}
	}
	for name := range truly {
		if !said[name] {
			s.missed = append(s.missed, name)
		}
	}
	return s
}

func (s score) precision() float64 { return ratio(len(s.right), len(s.wrong)) }
func (s score) recall() float64    { return ratio(len(s.right), len(s.missed)) }

func ratio(good, bad int) float64 {
	if good+bad == 0 {
		return 1
	}
	return float64(good) / float64(good+bad)
}

// openPacked opens a gzip file of the test data.
func openPacked(t *testing.T, path string) io.Reader {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "testdata", path))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	unpacked, err := gzip.NewReader(file)
	require.NoError(t, err)
	return unpacked
}
