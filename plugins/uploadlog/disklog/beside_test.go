package disklog

import (
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
)

// slowDisk holds large writes up until they are let go, with an error or without.
type slowDisk struct {
	disk.Disk

	held  chan struct{}
	letGo chan error
	last  atomic.Int64 // Where the last write began.
}

func (d *slowDisk) Create(name string) (disk.File, error) {
	file, err := d.Disk.Create(name)
	return &slowFile{file, d}, err
}

func (d *slowDisk) Open(name string) (disk.File, error) {
	file, err := d.Disk.Open(name)
	return &slowFile{file, d}, err
}

type slowFile struct {
	disk.File

	disk *slowDisk
}

func (f *slowFile) WriteAt(p []byte, at int64) (int, error) {
	if len(p) > largeForTests {
		f.disk.held <- struct{}{}
		if err := <-f.disk.letGo; err != nil {
			return 0, err
		}
	}
	f.disk.last.Store(at)
	return f.File.WriteAt(p, at)
}

// largeForTests is from how many bytes on a group is large here.
const largeForTests = 20_000

// besideALarge is a log in which a large entry is held up on its way to the disk,
// and a small one of another owner has come behind it. stored tells when that is
// safe, for all the log knows.
func besideALarge(t *testing.T, memory *crashdisk.Disk) (l *Log, slow *slowDisk, large, little chan error) {
	t.Helper()
	slow = &slowDisk{Disk: memory, held: make(chan struct{}), letGo: make(chan error)}
	options := small()
	options.SegmentBytes, options.smallBytes = 1<<20, largeForTests
	l = mustOpen(t, slow, options)
	require.NoError(t, appendNow(l, uploadEntry("first", 0, 1, 10)))
	large, little = make(chan error, 1), make(chan error, 1)
	require.NoError(t, l.Append([]Entry{uploadEntry("large", 1, 2, 50_000)}, func(err error) { large <- err }))
	<-slow.held
	before := memory.Operations()
	require.NoError(t, l.Append([]Entry{uploadEntry("little", 2, 3, 100)}, func(err error) { little <- err }))
	require.Eventually(t, func() bool { return memory.Operations() >= before+2 }, time.Minute, time.Millisecond, "it is written and synced")
	return l, slow, large, little
}

func TestASmallGroupIsWrittenBesideALargeOneAndAnsweredAfterIt(t *testing.T) {
	memory := crashdisk.New(1)
	l, slow, large, little := besideALarge(t, memory)
	require.Empty(t, little, "what is before it is not safe yet")
	require.EqualValues(t, 1, l.End(), "and nobody reads it")
	require.Zero(t, slow.last.Load()%disk.BlockSize, "the two have no block in common")
	slow.letGo <- nil
	require.NoError(t, <-large)
	require.NoError(t, <-little)
	require.NoError(t, appendNow(l, uploadEntry("last", 0, 4, 10)))
	want := []string{"first", "large", "little", "last"}
	require.Equal(t, want, names(t, l))
	memory.Crash()
	l = mustOpen(t, memory, small())
	require.Equal(t, want, names(t, l))
	require.NoError(t, l.Close())
}

func TestWhatStandsBesideATornGroupIsCutOff(t *testing.T) {
	memory := crashdisk.New(1)
	old, slow, _, little := besideALarge(t, memory)
	memory.Crash() // The small one is on the disk, the large one is not.
	slow.letGo <- nil
	require.Error(t, <-little)
	require.NoError(t, old.Close())
	options := small()
	options.SegmentBytes = 1 << 20
	l := mustOpen(t, memory, options)
	require.Equal(t, []string{"first"}, names(t, l))
	// Another one in the place of the large, to the byte: the small one must not follow on it.
	require.NoError(t, appendNow(l, uploadEntry("other", 1, 5, 50_000)))
	memory.Kill()
	l = mustOpen(t, memory, options)
	require.Equal(t, []string{"first", "other"}, names(t, l))
	require.NoError(t, l.Close())
}

func TestALargeGroupThatFailsTakesTheOneBesideItAlong(t *testing.T) {
	for _, test := range []struct {
		name   string
		err    error
		answer error
		next   error
	}{
		{"a full disk, and the log goes on", syscall.ENOSPC, ErrFull, nil},
		{"a failing disk, and the log does not", syscall.EIO, ErrFailed, ErrFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, slow, large, little := besideALarge(t, crashdisk.New(1))
			slow.letGo <- test.err
			require.ErrorIs(t, <-large, test.answer)
			require.ErrorIs(t, <-little, test.answer)
			again := appendNow(l, uploadEntry("little", 2, 3, 100))
			if test.next != nil {
				require.ErrorIs(t, again, test.next)
				require.Equal(t, []string{"first"}, names(t, l))
				return
			}
			require.NoError(t, again)
			all := everything(t, l)
			require.Equal(t, []string{"first", "little"}, names(t, l), "its number is given again")
			require.NotEmpty(t, all[1].Body, "and it is no duplicate")
			require.NoError(t, l.Close())
		})
	}
}

func TestASmallGroupThatFindsNoRoomBeginsTheNextSegment(t *testing.T) {
	slow := &slowDisk{Disk: crashdisk.New(1), held: make(chan struct{}), letGo: make(chan error)}
	options := small()
	options.SegmentBytes, options.smallBytes = 64<<10, largeForTests
	l := mustOpen(t, slow, options)
	require.NoError(t, appendNow(l, uploadEntry("first", 0, 1, 10)))
	large, little := make(chan error, 1), make(chan error, 1)
	require.NoError(t, l.Append([]Entry{uploadEntry("large", 1, 2, 50_000)}, func(err error) { large <- err }))
	<-slow.held
	require.NoError(t, l.Append([]Entry{uploadEntry("little", 2, 3, 8_000)}, func(err error) { little <- err }))
	slow.letGo <- nil
	require.NoError(t, <-large)
	require.NoError(t, <-little)
	require.Equal(t, []string{"first", "large", "little"}, names(t, l))
	require.NoError(t, l.Close())
}
