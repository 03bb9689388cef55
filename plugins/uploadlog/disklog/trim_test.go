package disklog

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
)

func TestOnlyWhatNobodyNeedsIsTrimmed(t *testing.T) {
	d := crashdisk.New(1)
	fill := func(l *Log, from, until int) {
		for number := from; number < until; number++ {
			require.NoError(t, appendNow(l, uploadEntry(strconv.Itoa(number), number%2, int64(number), 5000)))
		}
	}
	l := mustOpen(t, d, small())
	fill(l, 0, 40) // Five or six a segment.
	all := everything(t, l)
	require.NoError(t, l.Trim())
	require.Len(t, everything(t, l), 40, "nothing is done")

	for lane := range 2 {
		l.Done(lane, 40, all)
	}
	l.Keep(1, 12)
	require.NoError(t, l.Trim())
	first := everything(t, l)[0].Number
	require.Positive(t, first)
	require.LessOrEqual(t, first, int64(11), "the state has not synced entry 13 of lane 1")
	begin := l.Begin(0)
	require.Positive(t, begin)
	require.Zero(t, l.Begin(2), "a lane without entries has lost none")

	require.NoError(t, l.Close())
	d.Crash()
	l = mustOpen(t, d, small())
	require.Equal(t, begin, l.Begin(0), "the beginning is known after a power cut")
	require.Equal(t, first, everything(t, l)[0].Number)
	require.EqualValues(t, 40, l.Cursor(0))
	entries, size := l.Depth()
	require.Zero(t, entries)
	require.Zero(t, size)
	require.NoError(t, l.Close())
}

func TestRetainKeepsWhatIsDone(t *testing.T) {
	for _, test := range []struct {
		name    string
		retain  time.Duration
		bytes   int64
		oldest  int64
		atLeast int64
	}{
		{"without retain only the slack stays", 0, 0, 40, 15},
		{"by log time", 30 * time.Millisecond, 0, 10, 5},
		{"by bytes", 0, 3 * 32 << 10, 30, 15},
		{"by whichever is reached first", time.Hour, 2 * 32 << 10, 40, 20},
		{"all when it is long", time.Hour, 0, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			options := small()
			options.Retain, options.RetainBytes = test.retain, test.bytes
			l := mustOpen(t, crashdisk.New(1), options)
			for number := range 40 {
				require.NoError(t, appendNow(l, uploadEntry(strconv.Itoa(number), 0, int64(number), 5000)))
			}
			l.Done(0, 40, everything(t, l))
			require.NoError(t, l.Trim())
			first := everything(t, l)[0].Number
			require.LessOrEqual(t, first, test.oldest)
			require.GreaterOrEqual(t, first, test.atLeast)
			require.NoError(t, l.Close())
		})
	}
}

func TestDepthAndAgeOverARestart(t *testing.T) {
	d := crashdisk.New(1)
	l := mustOpen(t, d, small())
	_, waiting := l.Oldest()
	require.False(t, waiting)
	for number := range 20 {
		require.NoError(t, appendNow(l, uploadEntry(strconv.Itoa(number), number%2, int64(100+number), 5000)))
	}
	all := everything(t, l)
	l.Done(0, 5, []Record{all[0], all[2], all[4]})
	l.Done(1, 2, []Record{all[1]})
	entries, size := l.Depth()
	require.EqualValues(t, 16, entries)
	oldest, waiting := l.Oldest()
	require.True(t, waiting)
	require.EqualValues(t, 103, oldest)
	require.NoError(t, l.Close())

	l = mustOpen(t, d, small())
	again, sizeAgain := l.Depth()
	require.Equal(t, entries, again)
	require.Equal(t, size, sizeAgain)
	require.NoError(t, l.Close())
}
