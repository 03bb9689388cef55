package histories

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// recording writes a file of uploads as upload_history reads them.
type recording struct {
	t          *testing.T
	path       string
	file       *os.File
	out        *bufio.Writer
	executions int
}

type recordedUpload struct {
	ReceivedAt string       `json:"received_at"`
	Suite      string       `json:"suite"`
	Body       recordedBody `json:"body"`
}

type recordedBody struct {
	Format string              `json:"format"`
	RunEnv map[string]string   `json:"run_env"`
	Data   []recordedExecution `json:"data"`
}

type recordedExecution struct {
	Scope         string         `json:"scope"`
	Name          string         `json:"name"`
	Result        string         `json:"result"`
	FailureReason string         `json:"failure_reason,omitempty"`
	History       map[string]any `json:"history"`
}

func newRecording(t *testing.T) *recording {
	t.Helper()
	path := filepath.Join(t.TempDir(), "uploads.ndjson")
	file, err := os.Create(path)
	require.NoError(t, err)
	return &recording{t: t, path: path, file: file, out: bufio.NewWriterSize(file, 1<<20)}
}

// upload adds one delivery of a run on main.
func (r *recording) upload(at time.Time, suite, run, commit, job string, data []recordedExecution) {
	r.t.Helper()
	r.executions += len(data)
	line, err := json.Marshal(recordedUpload{
		ReceivedAt: at.UTC().Format(time.RFC3339Nano), Suite: suite,
		Body: recordedBody{Format: "json", Data: data, RunEnv: map[string]string{
			"CI": "generic", "key": run, "number": run, "job_id": job, "branch": "main", "commit_sha": commit,
		}},
	})
	require.NoError(r.t, err)
	_, err = r.out.Write(append(line, '\n'))
	require.NoError(r.t, err)
}

// done closes the file and returns its path.
func (r *recording) done() string {
	r.t.Helper()
	require.NoError(r.t, r.out.Flush())
	require.NoError(r.t, r.file.Close())
	return r.path
}

func execution(scope, name string, failed bool, reason string, seconds float64) recordedExecution {
	e := recordedExecution{
		Scope: scope, Name: name, Result: "passed",
		History: map[string]any{"section": "top", "start_at": 0, "duration": seconds},
	}
	if failed {
		e.Result, e.FailureReason = "failed", reason
	}
	return e
}
