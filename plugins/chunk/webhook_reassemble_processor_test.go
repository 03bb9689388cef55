package chunk

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func holderOf(t *testing.T, yaml string) *holder {
	t.Helper()
	conf, err := piecesSpec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	h, err := holderFromParsed(conf, service.MockResources())
	require.NoError(t, err)
	return h
}

// logged gives a message a place in a log.
func logged(m *service.Message, offset, at int64) *service.Message {
	m = m.Copy()
	m.MetaSetMut(testengine.MetaLogID, "log1")
	m.MetaSetMut(testengine.MetaPartition, int64(0))
	m.MetaSetMut(testengine.MetaOffset, offset)
	m.MetaSetMut(testengine.MetaLogTime, at)
	return m
}

// said is what became of a message, a line each: kind, offset, length.
func said(t *testing.T, h *holder, m *service.Message) (lines []string, batch service.MessageBatch) {
	t.Helper()
	batch, err := h.Process(t.Context(), m)
	require.NoError(t, err)
	for _, out := range batch {
		content, err := out.AsBytes()
		require.NoError(t, err)
		offset, _ := message.Int(out, testengine.MetaOffset)
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %d %d %s", message.Kind(out), offset, len(content), message.Text(out, metaReason))))
	}
	return lines, batch
}

func TestEveryRecordYieldsAMessageAndThePayloadLeavesWithItsLastPiece(t *testing.T) {
	h := holderOf(t, "")
	body := strings.Repeat("u", 150)
	pieces := piecesOf(t, "up_1", body)
	for _, piece := range pieces {
		piece.MetaSetMut(testengine.MetaKind, string(testengine.KindUpload))
	}
	require.Len(t, pieces, 3)
	tick := service.NewMessage([]byte("{}"))
	tick.MetaSetMut(testengine.MetaKind, string(testengine.KindTick))

	lines, _ := said(t, h, logged(pieces[2], 0, 1000))
	require.Equal(t, []string{"applied 0 2"}, lines)
	lines, _ = said(t, h, logged(tick, 1, 1000))
	require.Equal(t, []string{"tick 1 2"}, lines)
	lines, _ = said(t, h, logged(pieces[0], 2, 1000))
	require.Equal(t, []string{"applied 2 2"}, lines)
	lines, batch := said(t, h, logged(pieces[1], 3, 1000))
	require.Equal(t, []string{"upload 3 150"}, lines)
	require.Empty(t, message.Text(batch[0], testengine.MetaChunkMode))
	lines, _ = said(t, h, logged(pieces[1], 3, 1000))
	require.Equal(t, []string{"upload 3 150"}, lines, "the record again is answered alike")
	lines, _ = said(t, h, logged(pieces[0], 4, 1000))
	require.Equal(t, []string{"applied 4 2"}, lines, "a piece that comes again is not needed")
}

func TestAPayloadThatIsNotWholeInTimeLeavesForTheDeadLetters(t *testing.T) {
	h := holderOf(t, "timeout: 1m")
	pieces := piecesOf(t, "up_1", strings.Repeat("u", 150))
	_, _ = said(t, h, logged(pieces[0], 0, 1000))
	next := service.NewMessage([]byte("{}"))
	next.MetaSetMut(testengine.MetaKind, string(testengine.KindTick))
	lines, batch := said(t, h, logged(next, 1, 61_000))
	require.Equal(t, []string{"rejected 1 64 not all pieces came in time", "tick 1 2"}, lines)
	require.Equal(t, "up_1", message.Text(batch[0], testengine.MetaPayloadID))
	require.Equal(t, "acme", message.Text(batch[0], testengine.MetaOrg))
}
