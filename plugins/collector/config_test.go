package collector

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAMistakeInTheConfigurationNamesItsField(t *testing.T) {
	for _, c := range []struct{ name, yaml, says string }{
		{"a path without its slash", "path: v1/uploads", `reading path: "v1/uploads" must begin with /`},
		{"a wait of less than nothing", "in_flight_wait: -5s", `reading in_flight_wait: "-5s" is no time such as 10s`},
		{"an answer that may take no time", "answer_timeout: 0s", "reading answer_timeout: it must be more than 0"},
		{"a file that is never read again", "reload_every: 0s", "reading reload_every: it must be more than 0"},
		{"no size", "max_body: 32 elephants", `reading max_body: "32 elephants" is no size such as 32MiB`},
		{"no body", "max_body: 0", `reading max_body: "0" is no size between 1 B and 1.0 TiB`},
		{"no body once it is unpacked", "max_decoded: 0B", `reading max_decoded: "0B" is no size between 1 B and 1.0 TiB`},
		{"no bytes in flight", "max_in_flight: 0", `reading max_in_flight: "0" is no size between 1 B and 1.0 TiB`},
		{"batches of nothing", "batch_uploads: 0", "reading batch_uploads: it must be at least 1, not 0"},
		{"batches of no bytes", "batch_bytes: 0", `reading batch_bytes: "0" is no size between 1 B and 1.0 TiB`},
		{"fewer wrong tokens than none", "max_wrong_tokens: -1", "reading max_wrong_tokens: it must be at least 0, not -1"},
		{"less than one at a time", "concurrency: {least: 0}", "reading concurrency: 1 <= least <= first <= most is needed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf, err := inputSpec().ParseYAML(c.yaml, nil)
			require.NoError(t, err)
			_, err = doorFromParsed(conf)
			require.EqualError(t, err, c.says)
		})
	}
	for _, c := range []struct{ name, yaml, says string }{
		{"no time for a header", "read_header_timeout: 0s", "reading read_header_timeout: it must be more than 0"},
		{"no time for a body", "read_timeout: 0s", "reading read_timeout: it must be more than 0"},
		{"no time between requests", "idle_timeout: 0s", "reading idle_timeout: it must be more than 0"},
		{"no connections", "max_connections: 0", "reading max_connections: it must be between 1 and 10000000, not 0"},
		{"no header", "max_header_bytes: 0", `reading max_header_bytes: "0" is no size between 1 B and 1.0 GiB`},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf, err := listenerSpec().ParseYAML(c.yaml, nil)
			require.NoError(t, err)
			_, err = listenerFromParsed(conf)
			require.EqualError(t, err, c.says)
		})
	}
	for _, base := range []string{"tests.example.com", "tests.example.com:8420", "ftp://tests.example.com", "http://"} {
		t.Run("a base URL such as "+base, func(t *testing.T) {
			conf, err := listenerSpec().ParseYAML("base_url: "+base, nil)
			require.NoError(t, err)
			_, err = listenerFromParsed(conf)
			require.ErrorContains(t, err, `reading base_url: "`+base+`" is no URL such as https://tests.example.com`)
		})
	}
}

func TestABrokenMemoryIsNotTakenForNone(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, memoryFile), []byte("{"), 0o600))
	_, err := recall(dir)
	require.ErrorContains(t, err, "correct it, or move it away: then the quickstart makes a new token")
}
