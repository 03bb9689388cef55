package simulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/simulate/history"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// maxLoggedLines bounds the unusable lines that are logged one by one.
const maxLoggedLines = 20

// historyInput is the input upload_history: a goroutine reads ahead while the
// one batch that is under way is being processed.
type historyInput struct {
	config historyConfig
	log    *service.Logger
	lines  *service.MetricCounter

	start   sync.Once
	cancel  context.CancelFunc
	batches chan historyBatch
	done    chan struct{}

	// free holds a token while no batch is under way.
	free chan struct{}

	mu     sync.Mutex
	failed error
}

type historyBatch struct {
	messages service.MessageBatch
	err      error
}

func newHistoryInput(config historyConfig, res *service.Resources) *historyInput {
	h := &historyInput{
		config: config, log: res.Logger(),
		lines:   res.Metrics().NewCounter("testengine_history_lines_total", "result"),
		batches: make(chan historyBatch, 2), done: make(chan struct{}), free: make(chan struct{}, 1),
	}
	h.free <- struct{}{}
	return h
}

// Connect starts reading ahead. It refuses when the first file cannot be opened.
func (h *historyInput) Connect(context.Context) error {
	first, err := openHistory(h.config.paths[0])
	if err != nil {
		return fmt.Errorf("opening the history: %w", err)
	}
	started := false
	h.start.Do(func() {
		ctx, cancel := context.WithCancel(context.Background())
		h.cancel, started = cancel, true
		go h.readAhead(ctx, first)
	})
	if !started {
		return first.Close()
	}
	return nil
}

// ReadBatch waits until the batch before is done, so that order is kept.
func (h *historyInput) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	select {
	case <-h.free:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	h.mu.Lock()
	failed := h.failed
	h.mu.Unlock()
	if failed != nil {
		h.free <- struct{}{}
		return nil, nil, service.ErrEndOfInput
	}
	select {
	case batch, open := <-h.batches:
		if !open || batch.err != nil {
			if batch.err != nil {
				h.log.Errorf("The history ends early: %v. The verdicts are incomplete.", batch.err)
			}
			h.fail(io.EOF)
			return nil, nil, service.ErrEndOfInput
		}
		return batch.messages, h.ack, nil
	case <-ctx.Done():
		h.free <- struct{}{}
		return nil, nil, ctx.Err()
	}
}

func (h *historyInput) ack(ctx context.Context, err error) error {
	if err != nil {
		if ctx.Err() == nil {
			h.log.Errorf("Writing what came of the history: %v. The back-test ends here and its verdicts are incomplete.", err)
		}
		h.fail(err)
		return nil
	}
	h.free <- struct{}{}
	return nil
}

// fail lets every later read end the input.
func (h *historyInput) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed = err
	h.free <- struct{}{}
}

// Close ends reading ahead.
func (h *historyInput) Close(ctx context.Context) error {
	if h.cancel == nil {
		return nil
	}
	h.cancel()
	select {
	case <-h.done:
	case <-ctx.Done():
	}
	return nil
}

// historyReading is the state of reading ahead.
type historyReading struct {
	*historyInput
	ctx    context.Context
	number int64
	time   int64
	read   int64
	bad    int64
	batch  service.MessageBatch
	bytes  int
}

func (h *historyInput) readAhead(ctx context.Context, first io.ReadCloser) {
	defer close(h.done)
	defer close(h.batches)
	r := &historyReading{historyInput: h, ctx: ctx}
	if err := r.readFiles(first); err != nil {
		if ctx.Err() == nil {
			r.send(historyBatch{err: err})
		}
		return
	}
	if r.read > 0 {
		r.batch = append(r.batch, r.tick())
	}
	r.flush()
	if r.bad > 0 {
		h.log.Errorf("%d of %d lines of the history were unusable and are not part of the verdicts.", r.bad, r.number)
	}
}

func (r *historyReading) readFiles(file io.ReadCloser) (err error) {
	for i, path := range r.config.paths {
		if i > 0 {
			if file, err = openHistory(path); err != nil {
				return err
			}
		}
		err := r.readFile(path, file)
		if err = errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	return nil
}

func (r *historyReading) readFile(path string, file io.Reader) error {
	lines := history.NewReader(file, r.config.line)
	for inFile := 1; ; inFile++ {
		raw, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var problem *history.Problem
		if err != nil && !errors.As(err, &problem) {
			return fmt.Errorf("reading %s after line %d: %w", path, inFile-1, err)
		}
		var line history.Line
		if err == nil {
			if len(raw) == 0 {
				r.number++
				continue
			}
			line, err = history.Parse(raw)
		}
		if err != nil {
			r.unusable(path, inFile, err)
		} else if !r.add(line) {
			return r.ctx.Err()
		}
		r.number++
	}
}

func (r *historyReading) unusable(path string, inFile int, err error) {
	r.bad++
	r.lines.Incr(1, "unusable")
	if r.bad <= maxLoggedLines {
		r.log.Errorf("%s line %d is unusable: %v", path, inFile, err)
	}
}

// add appends a line to the batch and sends the batch when it is full.
func (r *historyReading) add(line history.Line) bool {
	if line.Org == "" {
		line.Org = r.config.org
	}
	r.read++
	r.time = max(r.time, line.ReceivedAt)
	m := r.message(testengine.KindUpload, line.ReceivedAt, line.Body)
	m.MetaSetMut(testengine.MetaOrg, line.Org)
	m.MetaSetMut(testengine.MetaSuite, line.Suite)
	m.MetaSetMut(testengine.MetaDefaultBranch, r.config.defaultBranch)
	m.MetaSetMut(testengine.MetaUploadID, message.UploadID(line.Org, line.Suite, line.Body))
	m.MetaSetMut(testengine.MetaContentType, "application/json")
	r.batch = append(r.batch, m)
	r.bytes += len(line.Body)
	if r.bytes >= r.config.batchBytes || len(r.batch) >= r.config.batchLines {
		return r.flush()
	}
	return true
}

// tick ends the history: all timers that are due by then fire.
func (r *historyReading) tick() *service.Message {
	r.time += r.config.settle.Milliseconds()
	return r.message(testengine.KindTick, r.time, []byte("{}"))
}

func (r *historyReading) message(kind testengine.Kind, receivedAt int64, body []byte) *service.Message {
	m := service.NewMessage(body)
	m.MetaSetMut(testengine.MetaKind, string(kind))
	m.MetaSetMut(testengine.MetaReceivedAt, receivedAt)
	m.MetaSetMut(testengine.MetaLogID, r.config.logID)
	m.MetaSetMut(testengine.MetaPartition, int64(0))
	m.MetaSetMut(testengine.MetaOffset, r.number)
	m.MetaSetMut(testengine.MetaLogTime, r.time)
	return m
}

func (r *historyReading) flush() bool {
	if len(r.batch) == 0 {
		return true
	}
	r.lines.Incr(int64(len(r.batch)), "read")
	batch := historyBatch{messages: r.batch}
	r.batch, r.bytes = nil, 0
	return r.send(batch)
}

func (r *historyReading) send(batch historyBatch) bool {
	select {
	case r.batches <- batch:
		return true
	case <-r.ctx.Done():
		return false
	}
}
