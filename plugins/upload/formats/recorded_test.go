package formats

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/unpack"
)

const recordedFolder = "../../../tests/testdata/recorded-clients"

// recording is the head of a request that a real client sent.
type recording struct {
	Path    string      `json:"path"`
	Headers [][2]string `json:"headers"`
	Note    string      `json:"note"`
}

func (r recording) header(name string) string {
	for _, header := range r.Headers {
		if strings.EqualFold(header[0], name) {
			return header[1]
		}
	}
	return ""
}

// recorded returns head and unpacked body of a request.
func recorded(t *testing.T, name string) (contentType string, body []byte) {
	t.Helper()
	head, err := os.ReadFile(filepath.Join(recordedFolder, name+".json"))
	require.NoError(t, err)
	var request recording
	require.NoError(t, json.Unmarshal(head, &request))
	body, err = os.ReadFile(filepath.Join(recordedFolder, name+".body"))
	require.NoError(t, err)
	if request.header("Content-Encoding") == "gzip" {
		body, err = unpack.Append(unpack.Gzip, nil, body, 1<<20)
		require.NoError(t, err)
	}
	return request.header("Content-Type"), body
}

func decodeRecorded(t *testing.T, name string) (assemble.Result, []testengine.Execution) {
	t.Helper()
	contentType, body := recorded(t, name)
	limits := assemble.DefaultLimits()
	limits.KeepDetails = assemble.KeepAll
	facts := assemble.Facts{UploadID: "up_1", Org: "acme", Suite: "api"}
	result := Decode(facts, contentType, body, limits)
	var executions []testengine.Execution
	for _, block := range result.Blocks {
		executions = append(executions, block.Executions...)
	}
	require.Len(t, executions, result.Report.Accepted)
	return result, executions
}

// tally writes what an upload came to in one line.
func tally(executions []testengine.Execution) string {
	counts := map[testengine.Result]int{}
	for i := range executions {
		counts[executions[i].Result]++
	}
	return fmt.Sprintf("passed %d failed %d skipped %d pending %d unknown %d", counts[testengine.ResultPassed],
		counts[testengine.ResultFailed], counts[testengine.ResultSkipped], counts[testengine.ResultPending], counts[testengine.ResultUnknown])
}

func TestRecordedUploadsArriveWhole(t *testing.T) {
	tests := []struct {
		name      string
		format    string
		collector string
		tally     string
	}{
		{"bktec-pytest-v3-post-uploads-collector", "json", "python", "passed 0 failed 0 skipped 0 pending 0 unknown 0"},
		{"bktec-pytest-v3-post-uploads-collector-2", "json", "python", "passed 2 failed 2 skipped 0 pending 0 unknown 0"},
		{"bktec-pytest-v3-post-uploads-collector-3", "json", "python", "passed 0 failed 1 skipped 0 pending 0 unknown 0"},
		{"bktec-gotest-v3-post-uploads", "go-jsonl", "bktec", "passed 4 failed 1 skipped 1 pending 0 unknown 0"},
		{"bktec-gotest-v3-post-uploads-2", "go-jsonl", "bktec", "passed 4 failed 1 skipped 1 pending 0 unknown 0"},
		{"bktec-jest-v3-post-uploads", "jest-json", "bktec", "passed 5 failed 2 skipped 1 pending 1 unknown 0"},
		{"bktec-jest-v3-post-uploads-2", "jest-json", "bktec", "passed 0 failed 2 skipped 0 pending 7 unknown 0"},
		{"bktec-playwright-v3-post-uploads", "playwright-json", "bktec", "passed 2 failed 3 skipped 1 pending 0 unknown 0"},
		{"bktec-rspec-v3-post-uploads", "rspec-json", "bktec", "passed 2 failed 2 skipped 2 pending 0 unknown 0"},
		{"bktec-rspec-v3-post-uploads-2", "rspec-json", "bktec", "passed 0 failed 1 skipped 0 pending 0 unknown 0"},
		{"bktec-vitest-v3-post-uploads", "jest-json", "bktec", "passed 2 failed 1 skipped 2 pending 0 unknown 0"},
		{"curl-junit", "junit", "", "passed 0 failed 3 skipped 0 pending 0 unknown 0"},
		{"curl-junit-rerun", "junit", "", "passed 6 failed 7 skipped 1 pending 0 unknown 0"},
		{"js-cypress-under-mocha", "json", "js", "passed 2 failed 1 skipped 0 pending 2 unknown 0"},
		{"js-jasmine", "json", "js", "passed 1 failed 1 skipped 0 pending 2 unknown 0"},
		{"js-jest", "json", "js", "passed 4 failed 2 skipped 1 pending 1 unknown 0"},
		{"js-mocha-bare", "json", "js", "passed 2 failed 1 skipped 0 pending 2 unknown 0"},
		{"js-mocha-multi", "json", "js", "passed 2 failed 1 skipped 0 pending 2 unknown 0"},
		{"js-one", "json", "js", "passed 1 failed 0 skipped 0 pending 0 unknown 0"},
		{"js-playwright", "json", "js", "passed 2 failed 3 skipped 1 pending 0 unknown 0"},
		{"js-vitest2", "json", "js", "passed 2 failed 1 skipped 1 pending 1 unknown 0"},
		{"js-vitest3", "json", "js", "passed 2 failed 1 skipped 1 pending 1 unknown 0"},
		{"plugin-junit", "junit", "test-collector-buildkite-plugin", "passed 0 failed 2 skipped 0 pending 0 unknown 0"},
		{"py-batch100", "json", "python", "passed 100 failed 0 skipped 0 pending 0 unknown 0"},
		{"py-collection-error", "json", "python", "passed 0 failed 1 skipped 0 pending 0 unknown 0"},
		{"py-empty", "json", "python", "passed 0 failed 0 skipped 0 pending 0 unknown 0"},
		{"py-full", "json", "python", "passed 7 failed 4 skipped 2 pending 0 unknown 2"},
		{"py-reruns", "json", "python", "passed 0 failed 0 skipped 0 pending 0 unknown 4"},
		{"py-reruns-passing", "json", "python", "passed 0 failed 0 skipped 0 pending 0 unknown 1"},
		{"py-xdist-worker0", "json", "python", "passed 3 failed 2 skipped 1 pending 0 unknown 0"},
		{"py-xdist-worker1", "json", "python", "passed 4 failed 1 skipped 1 pending 0 unknown 2"},
		{"rb-batch203", "json", "ruby", "passed 203 failed 0 skipped 0 pending 0 unknown 0"},
		{"rb-minitest", "json", "ruby", "passed 1 failed 2 skipped 0 pending 1 unknown 0"},
		{"rb-rspec", "json", "ruby", "passed 2 failed 2 skipped 1 pending 0 unknown 0"},
		{"rust", "json", "rust", "passed 2 failed 1 skipped 0 pending 0 unknown 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			contentType, body := recorded(t, test.name)
			require.NoError(t, check(contentType, body, 128))
			result, executions := decodeRecorded(t, test.name)
			require.Equal(t, test.tally, tally(executions))
			require.Equal(t, test.format, result.Report.Format)
			require.True(t, strings.HasPrefix(result.Report.Collector, test.collector), result.Report.Collector)
			require.Empty(t, result.Report.Problems)
			require.Zero(t, result.Report.Rejected)
			require.NotEmpty(t, result.Report.RunKey)
			require.Equal(t, "main", result.Report.Branch)
			require.Equal(t, "5e1f0c", result.Report.CommitSHA)
			for i := range executions {
				require.True(t, executions[i].HasDuration || executions[i].Result != testengine.ResultPassed)
			}
		})
	}
}
