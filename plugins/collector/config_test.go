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
		{"no size", "max_body: 32 elephants", `reading max_body: "32 elephants" is no size such as 32MiB`},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf, err := inputSpec().ParseYAML(c.yaml, nil)
			require.NoError(t, err)
			_, err = doorFromParsed(conf)
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
