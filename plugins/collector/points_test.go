package collector

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Point 10 of the client notes: bktec and the exporters of JavaScript send no
// Content-Length.
func TestPoint10ABodyWithoutContentLengthIsReadToItsEnd(t *testing.T) {
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

// Points 11 to 15 and 18: test plans are not served yet. bktec runs all tests
// only when it is told so by a 404 with a JSON body: any other refusal, or HTML,
// ends the job without running one; and nothing of what it sends is kept.
func TestPoints11To15And18PlanCallsAreAnsweredSoThatTestsRun(t *testing.T) {
	h := openHouse(t, "", "")
	files, err := filepath.Glob(filepath.Join(recordedFolder, "bktec-*.json"))
	require.NoError(t, err)
	calls := 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var request recorded
		require.NoError(t, json.Unmarshal(raw, &request))
		if !strings.HasPrefix(request.Path, "/v2/") {
			continue
		}
		calls++
		sent, err := os.ReadFile(strings.TrimSuffix(file, ".json") + ".body")
		require.NoError(t, err)
		answer := h.request(t, request.Method, request.Path, bytes.NewReader(sent))
		require.Equal(t, http.StatusNotFound, answer.status, filepath.Base(file))
		require.NotEmpty(t, answer.message(t))
	}
	require.Greater(t, calls, 10)
	require.Empty(t, h.messages())
}
