package disk_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
)

func TestAReplacedFileIsTheOldOneOrTheNewOneWheneverThePowerFails(t *testing.T) {
	before, after := strings.Repeat("old", 1000), strings.Repeat("newer", 1000)
	seen := map[string]bool{}
	for seed := range uint64(20) {
		for operations := 0; ; operations++ {
			d := crashdisk.New(seed)
			require.NoError(t, d.MkdirAll("data"))
			require.NoError(t, disk.Replace(d, "data/name", []byte(before)))
			d.StopAfter(operations)
			stopped := disk.Replace(d, "data/name", []byte(after))
			d.Crash()
			content, err := disk.Read(d, "data/name")
			require.NoError(t, err)
			seen[string(content)] = true
			require.NoError(t, disk.Replace(d, "data/name", []byte("third")), "what a crash has left is in nobody's way")
			if stopped == nil {
				require.Equal(t, after, string(content), "it was durable when Replace returned")
				break
			}
			require.Contains(t, []string{before, after}, string(content))
		}
	}
	require.Len(t, seen, 2)
}

func TestAReplacedFileLeavesNothingBesideIt(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "name")
	for _, content := range []string{"long enough", "", "short"} {
		require.NoError(t, disk.Replace(disk.OS(), name, []byte(content)))
		got, err := disk.Read(disk.OS(), name)
		require.NoError(t, err)
		require.Equal(t, content, string(got))
	}
	names, err := disk.OS().List(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"name"}, names)
}
