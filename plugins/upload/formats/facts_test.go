package formats_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/formats"
)

// Detection remembers the runs of the last minutes: if a run's key were a piece
// of the body, every body would stay in memory with it.
func TestTheFactsOfAnUploadDoNotHoldItsBody(t *testing.T) {
	body := []byte(`{"format":"json","run_env":{"CI":"buildkite","key":"b-91","branch":"main","own":"value"},` +
		`"tags":{"host.type":"c7g"},"more":{"a":1},"data":[{"name":"adds VAT once","result":"passed"}]}`)
	result := formats.Decode(assemble.Facts{Org: "acme", Suite: "api"}, "application/json", body, assemble.DefaultLimits())
	upload := *result.Blocks[0].Upload
	before := formats.Decode(assemble.Facts{Org: "acme", Suite: "api"}, "application/json", []byte(string(body)), assemble.DefaultLimits())
	clear(body)
	require.Equal(t, *before.Blocks[0].Upload, upload)
}
