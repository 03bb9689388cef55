package disk_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

func TestAStampChangesWithItsFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	at := time.Unix(1_700_000_000, 0)
	write := func(content string, at time.Time) {
		require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
		require.NoError(t, os.Chtimes(name, at, at))
	}
	stamps := map[disk.Stamp]string{{}: "before the first look"}
	for _, test := range []struct {
		name   string
		change func()
		same   bool
		empty  bool
	}{
		{"it is missing", func() {}, false, true},
		{"it is made, empty", func() { write("", at) }, false, true},
		{"it is written", func() { write("a", at) }, false, false},
		{"it is written again as it was, at the same time", func() { write("b", at) }, true, false},
		{"it is longer", func() { write("bc", at) }, false, false},
		{"it is as long, a moment later", func() { write("cd", at.Add(time.Nanosecond)) }, false, false},
		{"it is gone", func() { require.NoError(t, os.Remove(name)) }, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.change()
			stamp := disk.StampOf(name)
			_, known := stamps[stamp]
			require.Equal(t, test.same, known)
			require.Equal(t, stamp, disk.StampOf(name))
			require.Equal(t, test.empty, stamp.Empty())
			stamps[stamp] = test.name
		})
	}
}
