package collector

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/collector/answer"
)

// bktec and the exporters of JavaScript send no Content-Length.
func TestABodyWithoutContentLengthIsReadToItsEnd(t *testing.T) {
	h := openHouse(t, "", "max_body: 20000B\nmax_in_flight: 60000B\n")
	for _, test := range []struct {
		name   string
		size   int
		status int
	}{{"a small one", 0, 202}, {"one of many pieces", 15_000, 202}, {"one over the limit", 30_000, 413}} {
		t.Run(test.name, func(t *testing.T) {
			raw := append(body(oneExecution), bytes.Repeat([]byte(" "), test.size)...)
			answer := h.upload(t, raw)
			chunked := h.send(t, struct{ *strings.Reader }{strings.NewReader(string(raw))}, "Authorization", "Token "+writeToken, "Content-Type", "application/json")
			require.Equal(t, test.status, chunked.status, chunked.body)
			require.Equal(t, answer.status, chunked.status)
		})
	}
}

// There are no test plans here. bktec runs all tests only when it is told so by a
// 404 with a JSON body: any other refusal, or HTML, ends the job without running
// one. What was done with a plan is always answered 200, and nothing of what bktec
// sends is kept.
func TestPlanCallsAreAnsweredSoThatTestsRun(t *testing.T) {
	h := openHouse(t, "", "concurrency: {max_lag: 1m}\n")
	h.listener.AddLag(func() time.Duration { return time.Hour }) // Overload changes nothing of it.
	files, err := filepath.Glob(filepath.Join(recordedFolder, "bktec-*.json"))
	require.NoError(t, err)
	calls := map[int]int{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var request recorded
		require.NoError(t, json.Unmarshal(raw, &request))
		if !strings.HasPrefix(request.Path, "/v2/") {
			continue
		}
		sent, err := os.ReadFile(strings.TrimSuffix(file, ".json") + ".body")
		require.NoError(t, err)
		for _, authorization := range []string{"Bearer " + writeToken, "Bearer of another server", ""} {
			answer := h.request(t, request.Method, request.Path, bytes.NewReader(sent), "Authorization", authorization)
			want := http.StatusNotFound
			if strings.HasSuffix(request.Path, "/test_plan_metadata") {
				want = http.StatusOK
				require.JSONEq(t, "{}", answer.body)
			} else {
				require.Contains(t, answer.message(t), "no test plans here")
			}
			require.Equal(t, want, answer.status, filepath.Base(file))
			calls[want]++
		}
	}
	require.Greater(t, calls[http.StatusNotFound], 20)
	require.Greater(t, calls[http.StatusOK], 5)
	require.Empty(t, h.messages())
}

// Without a token in its environment bktec asks an agent that is not there, and
// runs nothing.
func TestBktecIsGivenItsTokenAndItsAddress(t *testing.T) {
	variables := answer.Variables("http://127.0.0.1:8420", "te_1")
	require.Contains(t, variables, "export BUILDKITE_ANALYTICS_TOKEN=te_1 ")
	require.Contains(t, variables, "export BUILDKITE_TEST_ENGINE_UPLOAD_BASE_URL=http://127.0.0.1:8420 ")
}
