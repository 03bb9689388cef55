package disk_test

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/stream/disk"
	"github.com/connect-testengine/connect-testengine/plugins/stream/disk/crashdisk"
)

// TestDisks holds both disks to one behaviour, so that what is proven on the
// simulated one is true on the real one.
func TestDisks(t *testing.T) {
	for name, open := range map[string]func() (disk.Disk, string){
		"the operating system's": func() (disk.Disk, string) { return disk.OS(), t.TempDir() },
		"the simulated one":      func() (disk.Disk, string) { return crashdisk.New(1), "data" },
	} {
		t.Run(name, func(t *testing.T) {
			d, root := open()
			dir := filepath.Join(root, "log", "deep")
			names, err := d.List(dir)
			require.NoError(t, err, "a missing folder is empty")
			require.Empty(t, names)
			require.NoError(t, d.MkdirAll(dir))

			_, err = d.Open(filepath.Join(dir, "a"))
			require.ErrorIs(t, err, fs.ErrNotExist)
			file, err := d.Create(filepath.Join(dir, "a"))
			require.NoError(t, err)
			_, err = d.Create(filepath.Join(dir, "a"))
			require.ErrorIs(t, err, fs.ErrExist)

			require.NoError(t, file.Allocate(8192))
			require.NoError(t, file.Allocate(4096), "reserving less does not shrink")
			size, err := file.Size()
			require.NoError(t, err)
			require.EqualValues(t, 8192, size)
			_, err = file.WriteAt([]byte("hello"), 100)
			require.NoError(t, err)
			require.NoError(t, file.Sync())
			got := make([]byte, 7)
			_, err = file.ReadAt(got, 99)
			require.NoError(t, err)
			require.Equal(t, "\x00hello\x00", string(got))
			require.NoError(t, file.Truncate(101))
			_, err = file.ReadAt(got, 100)
			require.Error(t, err, "reading over the end says so")
			require.NoError(t, file.Allocate(200))
			_, err = file.ReadAt(got, 100)
			require.NoError(t, err)
			require.Equal(t, "h\x00\x00\x00\x00\x00\x00", string(got), "what was cut off does not come back")
			require.NoError(t, file.Close())

			require.NoError(t, d.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "b")))
			require.NoError(t, d.SyncDir(dir))
			names, err = d.List(dir)
			require.NoError(t, err)
			require.Equal(t, []string{"b"}, names)
			require.NoError(t, d.Remove(filepath.Join(dir, "b")))

			free, total, err := d.Free(dir)
			require.NoError(t, err)
			require.Positive(t, free)
			require.GreaterOrEqual(t, total, free)

			held, err := d.Lock(dir)
			require.NoError(t, err)
			_, err = d.Lock(dir)
			require.ErrorIs(t, err, disk.ErrLocked)
			require.ErrorContains(t, err, dir)
			require.NoError(t, held.Close())
			again, err := d.Lock(dir)
			require.NoError(t, err)
			require.NoError(t, again.Close())
		})
	}
}
