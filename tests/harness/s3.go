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

// Credentials of the servers that StartS3 starts.
const (
	S3ID     = "test"
	S3Secret = "testsecret"
)

// StartS3 starts a real S3 server with one bucket, whose names are part of the path,
// and ends it with the test. A machine on which it cannot be installed fails the test.
func StartS3(t testing.TB, bucket string) (endpoint string) {
	t.Helper()
	dir, script := t.TempDir(), filepath.Join(Root(), "tests", "services", "s3.sh")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "data", bucket), 0o750))
	start := exec.CommandContext(t.Context(), script, "start", dir)
	start.Env = append(os.Environ(), "S3_OWNER="+strconv.Itoa(os.Getpid()))
	out, err := start.Output()
	require.NoError(t, err, "s3.sh start: %s", out)
	t.Cleanup(func() { require.NoError(t, exec.Command(script, "stop", dir).Run()) })
	return strings.TrimSpace(string(out))
}
