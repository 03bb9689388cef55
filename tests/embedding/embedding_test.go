// Package embedding builds a main.go as a platform team would write it, with
// one capability of the bundle, and runs a stream of their own through it.
package embedding

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOneCapabilityAloneServesAStreamThatKnowsNothingOfUs(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "custom")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./custom").CombinedOutput()
	require.NoError(t, err, "%s", out)

	config := filepath.Join(t.TempDir(), "stream.yaml")
	require.NoError(t, os.WriteFile(config, []byte(`
input: {stdin: {}}
pipeline:
  processors:
    - upload_decode: {}
    - mapping: 'root = if meta("testengine_kind") == "block" { content().parse_json().executions.map_each(e -> e.name).join(",") } else { deleted() }'
output: {stdout: {}}
logger: {level: ERROR}
http: {enabled: false}
`), 0o600))
	run := exec.CommandContext(t.Context(), binary, "run", config)
	run.Stdin = strings.NewReader(`{"name":"adds","result":"passed","history":{"duration":0.5}}` + "\n")
	answer, err := run.CombinedOutput()
	require.NoError(t, err, "%s", answer)
	require.Equal(t, "adds\n", string(answer))
}
