package statestore

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func TestStateInMemoryOpensNothing(t *testing.T) {
	dir := t.TempDir()
	conf, err := stateSpec().ParseYAML("in_memory: true\npath: "+filepath.Join(dir, "state"), nil)
	require.NoError(t, err)
	config, err := stateFromParsed(conf)
	require.NoError(t, err)
	r, err := openState(config, service.MockResources())
	require.NoError(t, err)
	require.NoDirExists(t, filepath.Join(dir, "state"))
	table, err := r.Table(t.Context(), "a", 0, "v1")
	require.NoError(t, err)
	require.NoError(t, table.Begin(0, 1))
	require.NoError(t, r.Close(t.Context()))
}

func TestTheStoreOfTheStateIsADirectoryABucketOrNothing(t *testing.T) {
	for _, test := range []struct{ name, yaml, want string }{
		{"nothing", `{}`, ""},
		{"a directory", `store: {path: ./states}`, ""},
		{"a bucket", `store: {s3: {bucket: states}}`, ""},
		{"not both", `store: {path: ./states, s3: {bucket: states}}`, "exclude each other"},
		{"never without a pause", `store: {path: ./states, upload_interval: 0s}`, "more than 0s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			conf, err := stateSpec().ParseYAML(test.yaml, nil)
			require.NoError(t, err)
			config, err := stateFromParsed(conf)
			if test.want != "" {
				require.ErrorContains(t, err, test.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, strings.Contains(test.yaml, "path"), config.store.path != "")
			require.Equal(t, strings.Contains(test.yaml, "s3"), config.store.s3 != nil)
		})
	}
}

func TestSnapshotsAreUploaded(t *testing.T) {
	dir := t.TempDir()
	conf, err := stateSpec().ParseYAML(fmt.Sprintf("path: %[1]s/own\nsnapshot_interval: 5ms\nstore: {path: %[1]s/shared, upload_interval: 5ms}", dir), nil)
	require.NoError(t, err)
	config, err := stateFromParsed(conf)
	require.NoError(t, err)
	r, err := openState(config, service.MockResources())
	require.NoError(t, err)
	_, err = r.Restore(t.Context(), testengine.LogIdentity{ID: "log", Partitions: 1}, 0, 0, 0)
	require.NoError(t, err)
	table, err := r.Table(t.Context(), "a", 0, "v1")
	require.NoError(t, err)
	require.NoError(t, table.Begin(0, 1))
	table.SetCell(1, 2)
	require.NoError(t, table.End())
	r.Acked(0, 1)
	require.Eventually(t, func() bool {
		found, _ := filepath.Glob(filepath.Join(dir, "shared", "0000", "manifest-*"))
		return len(found) > 0
	}, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, r.Close(t.Context()))
}
