package detect

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/filter"
	"github.com/connect-testengine/connect-testengine/plugins/flaky/wire"
)

func TestARecordIsReadAsItWasWrittenAndStaysSmall(t *testing.T) {
	full := record{
		belief: filter.AfterPasses(7), dense: 1<<24 - 1, file: 65535, newest: 1<<24 - 1, streak: 15,
		says: saysDetected, broken: true, shared: true, flakyEpisode: 200, brokenEpisode: 201, transitions: true,
		failures: maxFailures, branches: 3, returned: 3, calm: true, lineFailures: maxLineFailures, runs: 65535, clean: maxClean, cleanAtHour: 255, hours: 1<<24 - 1,
		lastFailure: 1 << 31, longestGap: maxGap, lone: 3, split: true, pieces: 3, solid: 3, lasted: 3, stretches: 3, odds: -127.5, pieceAt: 65533, kind: 4, crowd: 5, again: 3, same: true, near: true, suspectedAt: 65532,
		waits: true, broke: true, failing: [3]failing{{1<<24 - 1, 65535}, {7, 8}, {9, 10}},
		windowLength: maxWindow, window: [2]uint64{^uint64(0), 1<<48 - 1},
	}
	for _, want := range []record{{belief: filter.Start()}, {belief: filter.Start(), dense: 5}, full} {
		var w wire.Writer
		want.append(&w)
		var got record
		got.read(w.Bytes)
		require.Equal(t, want, got)
		t.Log(len(w.Bytes), "bytes")
		require.LessOrEqual(t, len(w.Bytes), recordBytes)
	}
}

func TestChangesAreCountedAcrossTheWholeWindow(t *testing.T) {
	var r record
	for i := range maxWindow {
		r.push(i%2 == 1)
	}
	toFailed, toPassed := r.changes(100)
	require.Equal(t, []int{50, 49}, []int{toFailed, toPassed})
	toFailed, toPassed = r.changes(2)
	require.Equal(t, []int{1, 0}, []int{toFailed, toPassed})
}

func TestACellHoldsItsNumbers(t *testing.T) {
	for _, want := range []cell{{}, {passes: 2000, dense: 1<<24 - 1, file: 65535}} {
		require.Equal(t, want, unpackCell(want.pack()))
		require.Less(t, want.pack(), uint64(1)<<56)
	}
}

func TestAnEpisodeIsYoungWhereTheCountOfTimeBeginsAnew(t *testing.T) {
	for _, at := range []int64{121_000, 1 << 16 * 10 * minute} {
		var r record
		r.addPiece(pieceRetry, crowdNone, false, at)
		require.True(t, r.had())
		require.Equal(t, 10*minute, since(r.pieceAt, at))
	}
}
