package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Writer produces without transactions, at least once and in order: after a
// record that failed, everything of its partition that came later is produced
// again behind it, so a later record is never read before it for the first time.
type Writer struct {
	client *kgo.Client
	logger Logger
	// running ends the repairs.
	running context.Context //nolint:containedctx // It bounds the writer's own repairs, not a call.
	stop    context.CancelFunc

	mu    sync.Mutex
	pipes map[string]map[int32]*pipe
}

// NewWriter makes a writer over a client that places records itself (Placed).
func NewWriter(client *kgo.Client, logger Logger) *Writer {
	w := &Writer{client: client, logger: logger, pipes: make(map[string]map[int32]*pipe)}
	w.running, w.stop = context.WithCancel(context.Background())
	return w
}

// Close gives up what is not written.
func (w *Writer) Close() { w.stop() }

// Write produces records, in this order within each partition, and returns when
// all are written, ctx ends, or one never can be: then the error says why. Every
// record has its partition.
func (w *Writer) Write(ctx context.Context, records []*kgo.Record) error {
	result := &result{left: len(records), done: make(chan struct{})}
	if len(records) == 0 {
		return nil
	}
	for _, r := range records {
		w.pipe(r.Topic, r.Partition).add(&pending{record: r, result: result})
	}
	select {
	case <-result.done:
		return result.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *Writer) pipe(topic string, partition int32) *pipe {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pipes[topic] == nil {
		w.pipes[topic] = make(map[int32]*pipe)
	}
	p := w.pipes[topic][partition]
	if p == nil {
		p = &pipe{writer: w}
		w.pipes[topic][partition] = p
	}
	return p
}

// pipe is the way into one partition. What is at the client goes out together
// and is answered together before anything later follows: a client that gives a
// record up would write a later one first.
type pipe struct {
	writer *Writer

	mu sync.Mutex
	// queue holds, in order, what is not certainly written; its first sent are at
	// the client, and out of these have no answer yet.
	queue     []*pending
	sent, out int
	failures  int // in a row
	waiting   bool
}

type pending struct {
	record *kgo.Record
	failed error // for now
	result *result
}

// result gathers what became of the records of one call.
type result struct {
	mu   sync.Mutex
	left int
	err  error
	done chan struct{}
}

func (r *result) settle(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = errors.Join(r.err, err)
	if r.left--; r.left == 0 {
		close(r.done)
	}
}

func (p *pipe) add(one *pending) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, one)
	p.flow()
}

// flow sends all that waits, when nothing is out. mu is held; the client keeps
// the order of calls.
func (p *pipe) flow() {
	if p.out > 0 || p.waiting || p.writer.running.Err() != nil {
		return
	}
	p.sent = len(p.queue)
	p.out = p.sent
	for _, one := range p.queue {
		one.failed = nil
		p.writer.client.Produce(p.writer.running, one.record, func(_ *kgo.Record, err error) {
			// The client may call this from inside the call above.
			go p.answer(one, err)
		})
	}
}

func (p *pipe) answer(one *pending, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one.failed = err
	if p.out--; p.out > 0 {
		return
	}
	p.settle()
	if p.failures == 0 {
		p.flow()
		return
	}
	p.waiting = true
	time.AfterFunc(backOff(p.failures), func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.waiting = false
		p.flow()
	})
}

// settle answers for the records before the first one that failed; that one and
// all after it go out again. mu is held.
func (p *pipe) settle() {
	n := 0
	for ; n < p.sent; n++ {
		one := p.queue[n]
		if one.failed != nil && !hopeless(one.failed) {
			p.writer.logger.Warnf("Writing to topic %s partition %d, which is tried again from the record that failed on: %v",
				one.record.Topic, one.record.Partition, one.failed)
			p.failures++
			break
		}
		err := one.failed
		if err != nil {
			err = fmt.Errorf("writing to topic %s partition %d: %w", one.record.Topic, one.record.Partition, err)
		}
		one.result.settle(err)
		p.failures = 0
	}
	p.queue = p.queue[n:]
	p.sent = 0
}

// hopeless says that the same record will fail for ever.
func hopeless(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge)
}
