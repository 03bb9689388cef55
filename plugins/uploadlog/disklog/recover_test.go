package disklog

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
)

// names lists the uploads of a log in order.
func names(t *testing.T, l *Log) (names []string) {
	t.Helper()
	for _, r := range everything(t, l) {
		names = append(names, nameOf(r))
	}
	return names
}

func TestNothingOfATornTailFollowsOnANewEntry(t *testing.T) {
	d := crashdisk.New(1)
	l := mustOpen(t, d, small())
	require.NoError(t, appendNow(l, uploadEntry("a", 0, 1, 1000), uploadEntry("b", 0, 1, 1000)))
	d.Kill()
	file, err := d.Open("data/log/segment-000000000000")
	require.NoError(t, err)
	_, err = file.WriteAt([]byte("torn"), segmentHead+500)
	require.NoError(t, err)
	require.NoError(t, file.Close())

	l = mustOpen(t, d, small())
	require.Empty(t, names(t, l))
	require.NoError(t, appendNow(l, uploadEntry("c", 0, 1, 1000)), "as long as a, so that b would follow on it")
	d.Kill()
	l = mustOpen(t, d, small())
	require.Equal(t, []string{"c"}, names(t, l))
	require.NoError(t, l.Close())
}

func TestWhatAKilledProcessLeftIsSafeBeforeItIsGivenOut(t *testing.T) {
	for seed := range uint64(30) {
		d := crashdisk.New(seed)
		l := mustOpen(t, d, small())
		require.NoError(t, appendNow(l, uploadEntry("a", 0, 1, 1000)))
		d.FailSync(syscall.EIO)
		require.Error(t, appendNow(l, uploadEntry("written, not synced", 0, 1, 1000)))
		d.Kill()
		l = mustOpen(t, d, small())
		given := names(t, l)
		require.Len(t, given, 2)
		d.Crash()
		l = mustOpen(t, d, small())
		require.Equal(t, given, names(t, l))
		require.NoError(t, l.Close())
	}
}

func TestAnErrorOfReadingIsNoTornTail(t *testing.T) {
	d := crashdisk.New(1)
	l := mustOpen(t, d, small())
	require.NoError(t, appendNow(l, uploadEntry("a", 0, 1, 1000)))
	d.Kill()
	reads := 0
	for fail := range 8 {
		reads = 0
		d.Hook(func(op crashdisk.Op) error {
			if op.Verb != "read" {
				return nil
			}
			if reads++; reads > fail {
				return syscall.EIO
			}
			return nil
		})
		l, err := Open(d, "data/log", small())
		if err == nil {
			require.NoError(t, l.Close())
			break
		}
		require.ErrorIs(t, err, syscall.EIO)
	}
	require.Positive(t, reads)
	d.Kill()
	l = mustOpen(t, d, small())
	require.Equal(t, []string{"a"}, names(t, l))
	require.NoError(t, l.Close())
}
