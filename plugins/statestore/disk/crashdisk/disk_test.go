package crashdisk_test

import (
	"bytes"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
)

func TestAPowerCutTakesOnlyWhatWasNotSynced(t *testing.T) {
	lost, kept, torn := 0, 0, 0
	for seed := range uint64(200) {
		d := crashdisk.New(seed)
		require.NoError(t, d.MkdirAll("data"))
		file, err := d.Create("data/a")
		require.NoError(t, err)
		require.NoError(t, file.Allocate(8192))
		_, err = file.WriteAt([]byte("safe"), 0)
		require.NoError(t, err)
		require.NoError(t, file.Sync())
		require.NoError(t, d.SyncDir("data"))
		body := bytes.Repeat([]byte("x"), 4096)
		_, err = file.WriteAt(body, 512)
		require.NoError(t, err)

		d.Crash()
		_, err = file.WriteAt(body, 0)
		require.Error(t, err, "files of before the crash are closed")
		file, err = d.Open("data/a")
		require.NoError(t, err)
		got := make([]byte, 8192)
		_, err = file.ReadAt(got, 0)
		require.NoError(t, err)
		require.Equal(t, "safe", string(got[:4]))
		switch bytes.Count(got, []byte("x")) {
		case 0:
			lost++
		case 4096:
			kept++
		default:
			torn++
		}
	}
	require.Positive(t, lost)
	require.Positive(t, kept)
	require.Positive(t, torn)
}

func TestNamesAreLostInOrder(t *testing.T) {
	seen := map[int]bool{}
	for seed := range uint64(100) {
		d := crashdisk.New(seed)
		require.NoError(t, d.MkdirAll("data"))
		for _, name := range []string{"data/1", "data/2", "data/3"} {
			_, err := d.Create(name)
			require.NoError(t, err)
		}
		d.Crash()
		names, err := d.List("data")
		require.NoError(t, err)
		require.Equal(t, []string{"1", "2", "3"}[:len(names)], append([]string{}, names...))
		seen[len(names)] = true
	}
	require.Len(t, seen, 4)
}

func TestAFullDiskAndAMachineThatStops(t *testing.T) {
	d := crashdisk.New(1)
	file, err := d.Create("a")
	require.NoError(t, err)
	d.SetSpace(10)
	n, err := file.WriteAt(make([]byte, 16), 0)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.Equal(t, 10, n)
	require.ErrorIs(t, file.Allocate(11), syscall.ENOSPC)

	d.FailSync(syscall.EIO)
	require.ErrorIs(t, file.Sync(), syscall.EIO)
	d.FailSync(nil)
	require.NoError(t, file.Sync())

	d.StopAfter(1)
	_, err = file.WriteAt(make([]byte, 4), 0)
	require.ErrorIs(t, err, crashdisk.ErrStopped)
	require.ErrorIs(t, file.Sync(), crashdisk.ErrStopped)
	d.Kill()
	file, err = d.Open("a")
	require.NoError(t, err)
	size, err := file.Size()
	require.NoError(t, err)
	require.EqualValues(t, 10, size, "kill -9 loses nothing that was written")
}
