package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Registry is a real Schema Registry.
type Registry struct {
	// URL is where Confluent's API lies.
	URL string
	dir string
	t   testing.TB
}

// StartRegistry starts a registry on new data and ends it with the test. A
// machine on which it cannot be installed fails the test.
func StartRegistry(t testing.TB) *Registry {
	t.Helper()
	r := &Registry{dir: t.TempDir(), t: t}
	t.Cleanup(r.Stop)
	r.Start()
	return r
}

// Start starts it again after Stop or Kill, on its port and its data.
func (r *Registry) Start() {
	r.t.Helper()
	r.URL = r.script("start", r.dir)
}

// Stop ends it.
func (r *Registry) Stop() { r.script("stop", r.dir) }

// Kill is kill -9.
func (r *Registry) Kill() { r.script("kill9", r.dir) }

// script runs a verb of tests/services/registry.sh. The server keeps no pipe of
// ours open: its output goes to a file.
func (r *Registry) script(args ...string) string {
	r.t.Helper()
	command := exec.Command(filepath.Join(Root(), "tests", "services", "registry.sh"), args...)
	command.Env = append(os.Environ(), "REGISTRY_OWNER="+strconv.Itoa(os.Getpid()))
	out, err := command.CombinedOutput()
	require.NoError(r.t, err, "registry.sh %s: %s", strings.Join(args, " "), out)
	return strings.TrimSpace(string(out))
}
