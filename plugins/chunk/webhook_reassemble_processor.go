package chunk

import (
	"context"
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/chunk/hold"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/stateful"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const (
	pfTimeout   = "timeout"
	pfBytes     = "max_open_bytes"
	pfMaxPieces = "max_pieces"

	// metaReason says why a piece could not be joined.
	metaReason = "reason"
	// lingerTime is how long a whole payload can be answered again: its batch has ended by then.
	lingerTime = time.Minute
)

func init() {
	service.MustRegisterProcessor("webhook_reassemble", piecesSpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.Processor, error) {
			return holderFromParsed(conf, res)
		})
}

func piecesSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.2.0").
		Categories("Utility").
		Summary("Makes payloads of the pieces that `webhook_chunk` cut by bytes, behind a log whose offsets move on.").
		Description(`The input of the same name holds acknowledgements until a payload is whole. Behind `+"`kafka_stateful` and `upload_log`"+` a batch has to end before the next one comes, so here the pieces of open payloads are state: they are there again after a crash or on another node.

A payload leaves with its completing piece, as a message with that piece's metadata and place in the log. A piece that completes nothing becomes a message of kind `+"`applied`"+`. Time is the log's: when a payload is not whole in time, its source holds too much, a piece does not fit, the checksum is wrong or id, org, suite and checksum have more than 16 KiB together (the state could not keep them), the pieces leave as messages of kind `+"`rejected`"+` with the metadata `+"`reason`"+`, for the dead letters. Everything else passes unchanged.

Pieces are written to the state, so this costs twice what a record costs; `+"`webhook_chunk`"+` cuts by bytes only what it cannot cut between records.

Metrics: `+"`testengine_reassemble_payloads_total{result}`"+` (joined, timeout, budget, mismatch, checksum).`).
		Fields(
			stateful.Field("open payloads"),
			fields.NewDuration(pfTimeout).
				Description("How long after its first piece a payload must be whole, in the log's time.").
				Default("5m"),
			service.NewStringField(pfBytes).
				Description("How many bytes the open payloads of a partition may hold.").
				Default("128MB"),
			fields.NewNumber(pfMaxPieces, 1, hold.MaxPieces).
				Description("The most pieces a payload may have.").
				Default(1000).Advanced(),
		).
		Example("In front of the decoder", "An upload with one execution of more than 900 kB comes in pieces.", `
pipeline:
  processors:
    - webhook_reassemble:
        state: state
    - upload_decode:
        state: state
`)
}

// holder is the processor webhook_reassemble.
type holder struct {
	limits  hold.Limits
	lanes   *stateful.Lanes[*state.Table]
	results *service.MetricCounter
	log     *service.Logger
}

func holderFromParsed(conf *service.ParsedConfig, res *service.Resources) (*holder, error) {
	h := &holder{results: res.Metrics().NewCounter("testengine_reassemble_payloads_total", "result"), log: res.Logger()}
	var err error
	p := fields.Into(&err, conf)
	timeout, bytes, pieces := p.Duration(pfTimeout), sizeFrom(p, pfBytes), p.NumberWithin(1, hold.MaxPieces, pfMaxPieces)
	if err != nil {
		return nil, err
	}
	label, err := stateful.LabelFromParsed(conf)
	if err != nil {
		return nil, err
	}
	h.limits = hold.Limits{Bytes: int64(bytes), Pieces: pieces, Timeout: timeout.Milliseconds(), Linger: lingerTime.Milliseconds()}
	h.lanes = stateful.New(res, stateful.Memory[*state.Table]{
		Label: label, Table: "webhook_reassemble", Logic: fmt.Sprintf("pieces/1/%s/%d/%d", timeout, bytes, pieces),
		Make: func(t *state.Table) *state.Table { return t },
	})
	return h, nil
}

// Process implements service.Processor. What is lost goes first, the message last.
func (h *holder) Process(ctx context.Context, m *service.Message) (service.MessageBatch, error) {
	piece, isPiece := pieceOf(m)
	_, logged := message.Position(m)
	if !isPiece && !logged {
		return service.MessageBatch{m}, nil
	}
	now, _ := stateful.TimeOf(m)
	var whole []byte
	var lost []hold.Lost
	err := h.lanes.Take(ctx, m, now, func(r *stateful.Record[*state.Table]) error {
		switch {
		case r.Applied && isPiece:
			whole = hold.Again(r.Table, r.Offset, piece)
		case !r.Applied:
			lost = hold.Expire(r.Table, r.Table.Time())
			if isPiece {
				var more []hold.Lost
				whole, more = hold.Add(r.Table, h.limits, r.Offset, piece, checksum)
				lost = append(lost, more...)
			}
		}
		return r.End()
	})
	if err != nil {
		return nil, fmt.Errorf("holding a piece: %w", err)
	}
	batch := h.rejected(m, lost)
	switch {
	case !isPiece:
		return append(batch, m), nil
	case whole != nil:
		h.results.Incr(1, "joined")
		return append(batch, wholeMessage(m, whole)), nil
	}
	applied := m.Copy()
	applied.SetBytes([]byte("{}"))
	applied.MetaSetMut(testengine.MetaKind, string(testengine.KindApplied))
	return append(batch, applied), nil
}

func pieceOf(m *service.Message) (p hold.Piece, ok bool) {
	p.ID = message.Text(m, testengine.MetaPayloadID)
	if p.ID == "" || message.Text(m, testengine.MetaChunkMode) != modeBytes {
		return p, false
	}
	index, numbered := message.Int(m, testengine.MetaChunkIndex)
	if !numbered {
		index = -1
	}
	count, _ := message.Int(m, testengine.MetaChunkCount)
	p.Index, p.Count = int(index), int(count)
	p.Bytes, _ = message.Int(m, testengine.MetaPayloadBytes)
	p.Checksum = message.Text(m, testengine.MetaPayloadChecksum)
	p.Org, p.Suite = message.Text(m, testengine.MetaOrg), message.Text(m, testengine.MetaSuite)
	content, err := m.AsBytes()
	p.Content = content
	return p, err == nil
}

func wholeMessage(m *service.Message, whole []byte) *service.Message {
	out := m.Copy()
	out.SetBytes(whole)
	for _, key := range pieceMeta {
		out.MetaDelete(key)
	}
	return out
}

// rejected makes a message of every piece that is given up.
func (h *holder) rejected(m *service.Message, lost []hold.Lost) (batch service.MessageBatch) {
	for _, l := range lost {
		h.results.Incr(1, resultOf(l.Reason))
		h.log.Warnf("Giving up piece %d of %d of payload %s at %s: %v", l.Index, l.Count, l.ID, message.Place(m), l.Reason)
		out := m.Copy()
		out.SetBytes(l.Content)
		out.MetaSetMut(testengine.MetaKind, string(testengine.KindRejected))
		out.MetaSetMut(metaReason, l.Reason.Error())
		out.MetaSetMut(testengine.MetaOrg, l.Org)
		out.MetaSetMut(testengine.MetaSuite, l.Suite)
		out.MetaSetMut(testengine.MetaPayloadID, l.ID)
		number(out, modeBytes, l.Index, l.Count)
		batch = append(batch, out)
	}
	return batch
}

// Close implements service.Processor.
func (h *holder) Close(context.Context) error {
	h.lanes.Close()
	return nil
}
