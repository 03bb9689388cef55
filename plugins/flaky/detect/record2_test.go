package detect

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/filter"
	"github.com/connect-testengine/connect-testengine/plugins/flaky/wire"
)

func TestARecordOfTheRulesBeforeIsRead(t *testing.T) {
	want := record{
		belief: filter.AfterPasses(9), dense: 77, file: 5, newest: 1234, streak: 2, says: saysDetected, flakyEpisode: 3,
		failures: maxFailures, lineFailures: maxLineFailures, runs: 90, clean: maxClean, hours: 1 << 23, lastFailure: 1 << 30, longestGap: 17, lone: 2,
		pieces: 3, odds: 4.5, pieceAt: 4242, waits: true, near: true, same: true, suspectedAt: 4241,
		kind: pieceOutage, crowd: crowdMany, again: 3, failing: [3]failing{{9, 10}}, windowLength: 40, window: [2]uint64{1 << 39, 0},
	}
	var w wire.Writer
	want.append(&w)
	old := w.Bytes
	old[0] = kindRecord2
	old[atCounts] = 9 | 2<<4
	binary.LittleEndian.PutUint16(old[atFailures:], 60_000)
	binary.LittleEndian.PutUint16(old[atLine:], 50_000)
	binary.LittleEndian.PutUint16(old[atClean:], 40_000)
	old[atPiece] = 2 | 3<<2 | 5<<4 | 1<<7 // an outage in a large crowd, with five more pieces

	require.True(t, isRecord(old))
	var got record
	got.read(old)
	require.Equal(t, want, got)

	old[atPiece] = 0 // there was no episode
	got = record{}
	got.read(old)
	require.False(t, got.had())
}
