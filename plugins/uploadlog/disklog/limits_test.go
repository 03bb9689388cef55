package disklog

import (
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func TestAFullDiskRefusesAndGoesOn(t *testing.T) {
	d := crashdisk.New(1)
	options := small()
	options.MinFreeBytes = 10 << 10
	l := mustOpen(t, d, options)
	require.NoError(t, appendNow(l, uploadEntry("a", 0, 1, 10)))

	d.SetSpace(40 << 10)
	err := appendNow(l, uploadEntry("b", 0, 1, 10))
	require.ErrorIs(t, err, ErrFull)
	require.ErrorContains(t, err, "must stay free")
	d.SetSpace(1 << 30)
	require.NoError(t, appendNow(l, uploadEntry("b", 0, 1, 10)), "the refused upload is no duplicate")

	d.Hook(func(op crashdisk.Op) error {
		if op.Verb == "write" {
			return syscall.ENOSPC
		}
		return nil
	})
	require.ErrorIs(t, appendNow(l, uploadEntry("c", 0, 1, 10)), ErrFull)
	d.Hook(nil)
	require.NoError(t, appendNow(l, uploadEntry("c", 0, 1, 10)))
	all := everything(t, l)
	require.Len(t, all, 3)
	require.Equal(t, testengine.KindUpload, all[2].Kind)
	require.NotEmpty(t, all[2].Body)
	require.NoError(t, l.Close())
}

func TestTheLogIsNotLongerThanItMayBe(t *testing.T) {
	options := small()
	options.MaxBytes = 4 * options.SegmentBytes
	l := mustOpen(t, crashdisk.New(1), options)
	var err error
	count := 0
	for ; err == nil; count++ {
		require.Less(t, count, 100)
		err = appendNow(l, uploadEntry(strconv.Itoa(count), 1, 1, 5000))
	}
	require.ErrorIs(t, err, ErrFull)
	require.ErrorContains(t, err, "not done")
	require.Greater(t, count, 4*5)
	all := everything(t, l)
	require.Len(t, all, count-1)
	l.Done(1, 6, all[:6])
	require.NoError(t, appendNow(l, uploadEntry("more", 1, 1, 5000)), "what is done makes room")
	require.Equal(t, int64(5), l.Begin(1))
	require.NoError(t, l.Close())
}
