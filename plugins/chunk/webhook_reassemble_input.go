package chunk

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/chunk/join"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func init() {
	service.MustRegisterBatchInput("webhook_reassemble", reassembleSpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.BatchInput, error) {
			config, err := reassembleFromParsed(conf)
			if err != nil {
				return nil, err
			}
			if config.cache != "" && !res.HasCache(config.cache) {
				return nil, fmt.Errorf("reading %s: there is no cache %q", rfClaimCheck, config.cache)
			}
			inner, err := conf.FieldInput(rfInput)
			if err != nil {
				return nil, err
			}
			return service.AutoRetryNacksBatchedToggled(conf, newReassembler(config, inner, res))
		})
}

// pieces is where the pieces come from.
type pieces interface {
	ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error)
	Close(ctx context.Context) error
}

// reassembler is the input webhook_reassemble.
type reassembler struct {
	config  reassembleConfig
	inner   pieces
	claims  claims
	results *service.MetricCounter
	open    *service.MetricGauge
	bytes   *service.MetricGauge
	log     *service.Logger
	now     func() time.Time

	mu     sync.Mutex
	joiner *join.Joiner[ticket]
	ready  []outgoing
}

// outgoing is a batch with what is to be done when it has come to an end.
type outgoing struct {
	batch service.MessageBatch
	ack   service.AckFunc
}

func newReassembler(config reassembleConfig, inner pieces, res *service.Resources) *reassembler {
	return &reassembler{
		config: config, inner: inner,
		claims:  claims{res: res, cache: config.cache},
		results: res.Metrics().NewCounter("testengine_reassemble_payloads_total", "result"),
		open:    res.Metrics().NewGauge("testengine_reassemble_open_payloads"),
		bytes:   res.Metrics().NewGauge("testengine_reassemble_open_bytes"),
		log:     res.Logger(),
		now:     time.Now,
		joiner:  join.New[ticket](config.limits, checksum),
	}
}

// Connect implements service.BatchInput. The inner input connects by itself.
func (*reassembler) Connect(context.Context) error { return nil }

// ReadBatch implements service.BatchInput.
func (r *reassembler) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	for {
		if out, ok := r.next(); ok {
			return out.batch, out.ack, nil
		}
		batch, ack, err := r.read(ctx)
		switch {
		case err == nil:
			if err := r.take(ctx, batch, ack); err != nil {
				return nil, nil, err
			}
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			r.expire()
		default:
			return nil, nil, err
		}
	}
}

// read waits for the inner input no longer than until a payload's time is over.
func (r *reassembler) read(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	r.mu.Lock()
	at, ok := r.joiner.NextExpiry()
	r.mu.Unlock()
	if ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, at.Sub(r.now()))
		defer cancel()
	}
	return r.inner.ReadBatch(ctx)
}

func (r *reassembler) next() (out outgoing, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ready) == 0 {
		return out, false
	}
	out = r.ready[0]
	r.ready = r.ready[1:]
	return out, true
}

// take sorts a batch: pieces go to the joiner, the rest passes together.
func (r *reassembler) take(ctx context.Context, batch service.MessageBatch, ack service.AckFunc) error {
	from := &delivery{ack: ack, pending: len(batch)}
	if len(batch) == 0 {
		return ack(ctx, nil)
	}
	var passing service.MessageBatch
	for _, m := range batch {
		id := message.Text(m, testengine.MetaPayloadID)
		switch {
		case id != "" && message.Text(m, testengine.MetaChunkMode) == modeBytes:
			r.add(ctx, from, m, id)
		case r.claims.cache != "" && message.Text(m, testengine.MetaClaimCheck) != "":
			claimed, err := r.claimed(ctx, m)
			if err != nil {
				return errors.Join(err, from.ended(ctx, from.pending, err))
			}
			passing = append(passing, claimed)
		default:
			passing = append(passing, m)
		}
	}
	r.flush(passing, from)
	return nil
}

// flush has messages of one delivery pass.
func (r *reassembler) flush(passing service.MessageBatch, from *delivery) {
	if len(passing) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ready = append(r.ready, outgoing{passing, func(ctx context.Context, err error) error {
		return from.ended(ctx, len(passing), err)
	}})
}

// add takes a piece.
func (r *reassembler) add(ctx context.Context, from *delivery, m *service.Message, id string) {
	piece := join.Piece[ticket]{ID: id, Ticket: ticket{from, m}, Checksum: message.Text(m, testengine.MetaPayloadChecksum)}
	index, ok := message.Int(m, testengine.MetaChunkIndex)
	if !ok {
		index = -1
	}
	count, _ := message.Int(m, testengine.MetaChunkCount)
	piece.Index, piece.Count = int(index), int(count)
	piece.Bytes, _ = message.Int(m, testengine.MetaPayloadBytes)
	piece.Content, _ = m.AsBytes()
	source, err := r.config.source.TryString(m)
	if err != nil {
		r.log.Warnf("Reading the source of payload %s from %s: %v", id, message.Place(m), err)
	}
	piece.Source = source

	r.mu.Lock()
	ended, again := r.joiner.Add(r.now(), piece)
	r.gauge()
	r.mu.Unlock()
	if again {
		_ = from.ended(ctx, 1, nil)
	}
	r.leave(ended)
}

func (r *reassembler) expire() {
	r.mu.Lock()
	ended := r.joiner.Expired(r.now())
	r.gauge()
	r.mu.Unlock()
	r.leave(ended)
}

// gauge shows what is open; the caller holds the lock.
func (r *reassembler) gauge() {
	payloads, bytes := r.joiner.Open()
	r.open.Set(int64(payloads))
	r.bytes.Set(bytes)
}

// leave makes batches of payloads that are whole or given up.
func (r *reassembler) leave(ended []join.Whole[ticket]) {
	for _, whole := range ended {
		r.results.Incr(1, resultOf(whole.Err))
		out := outgoing{batch: r.messages(whole), ack: r.ackOf(whole)}
		r.mu.Lock()
		r.ready = append(r.ready, out)
		r.mu.Unlock()
	}
}

func (r *reassembler) messages(whole join.Whole[ticket]) (batch service.MessageBatch) {
	if whole.Err == nil {
		m := whole.Pieces[0].Ticket.message.Copy()
		m.SetBytes(whole.Content)
		for _, key := range pieceMeta {
			m.MetaDelete(key)
		}
		return service.MessageBatch{m}
	}
	came := 0
	for _, piece := range whole.Pieces {
		if piece == nil {
			continue
		}
		came++
		m := piece.Ticket.message.Copy()
		m.MetaSetMut(metaReason, whole.Err.Error())
		batch = append(batch, m)
	}
	place := "nowhere"
	if came > 0 {
		place = message.Place(batch[0])
	}
	r.log.Warnf("Giving up payload %s of which %d pieces came, the first of them from %s: %v", whole.ID, came, place, whole.Err)
	return batch
}

// pieceMeta describes pieces, not payloads.
var pieceMeta = []string{testengine.MetaChunkMode, testengine.MetaChunkIndex, testengine.MetaChunkCount}

// ackOf ends all pieces of a payload. A payload that came to nothing is
// forgotten, so that its pieces are taken again.
func (r *reassembler) ackOf(whole join.Whole[ticket]) service.AckFunc {
	return func(ctx context.Context, err error) error {
		if err != nil {
			r.mu.Lock()
			r.joiner.Forget(whole.ID)
			r.mu.Unlock()
		}
		var all error
		for _, piece := range whole.Pieces {
			if piece != nil {
				all = errors.Join(all, piece.Ticket.delivery.ended(ctx, 1, err))
			}
		}
		for _, repeated := range whole.Repeated {
			all = errors.Join(all, repeated.delivery.ended(ctx, 1, err))
		}
		return all
	}
}

var results = map[error]string{
	join.ErrTimeout: "timeout", join.ErrBudget: "budget", join.ErrMismatch: "mismatch", join.ErrNames: "mismatch",
	join.ErrChecksum: "checksum",
}

func resultOf(err error) string {
	if err == nil {
		return "joined"
	}
	return results[err]
}

// claimed is the message with what the cache holds. A claim that nobody holds,
// or that is not what was left, goes on with a reason.
func (r *reassembler) claimed(ctx context.Context, m *service.Message) (*service.Message, error) {
	key := message.Text(m, testengine.MetaClaimCheck)
	body, err := r.claims.get(ctx, key)
	if err == nil && checksum(body) != message.Text(m, testengine.MetaPayloadChecksum) {
		err = join.ErrChecksum
	}
	out := m.Copy()
	switch {
	case err == nil:
		r.results.Incr(1, "claim_check")
		out.SetBytes(body)
		out.MetaDelete(testengine.MetaClaimCheck)
		out.MetaSetMut(testengine.MetaPayloadID, key)
	case errors.Is(err, service.ErrKeyNotFound), errors.Is(err, join.ErrChecksum):
		r.results.Incr(1, "checksum")
		out.MetaSetMut(metaReason, fmt.Sprintf("fetching payload %s: %v", key, err))
	default:
		return nil, fmt.Errorf("fetching payload %s: %w", key, err)
	}
	return out, nil
}

// Close implements service.BatchInput. Open payloads are not acknowledged: the
// inner input delivers their pieces again.
func (r *reassembler) Close(ctx context.Context) error { return r.inner.Close(ctx) }
