package disk_test

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
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
			requireWholeBlocks(t, file)
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

// requireWholeBlocks writes past and through the page cache by turns: both see what the other wrote.
func requireWholeBlocks(t *testing.T, file disk.File) {
	t.Helper()
	const size = 128 << 10
	blocks := disk.AlignedBuffer(size)
	require.Empty(t, blocks)
	blocks = blocks[:size]
	for i := range blocks {
		blocks[i] = byte(i / 100)
	}
	_, err := file.WriteAt([]byte("before"), disk.BlockSize)
	require.NoError(t, err)
	n, err := file.WriteAt(blocks, disk.BlockSize)
	require.NoError(t, err)
	require.Equal(t, size, n)
	got := make([]byte, size)
	_, err = file.ReadAt(got, disk.BlockSize)
	require.NoError(t, err)
	require.Equal(t, blocks, got)
	_, err = file.WriteAt([]byte("after"), disk.BlockSize+7)
	require.NoError(t, err)
	require.NoError(t, file.Sync())
	copy(blocks[7:], "after")
	again := disk.AlignedBuffer(size)[:size]
	_, err = file.ReadAt(again, disk.BlockSize)
	require.NoError(t, err)
	require.Equal(t, blocks, again)
	n, _ = file.ReadAt(again, 2*disk.BlockSize)
	require.Equal(t, size-disk.BlockSize, n, "what is there behind the last whole block is read too")
	require.Equal(t, blocks[disk.BlockSize:], again[:n])
}
