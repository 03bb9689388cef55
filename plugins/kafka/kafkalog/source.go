package kafkalog

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/message/pause"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// ErrClosed is returned by Read after Close.
var ErrClosed = errors.New("the source is closed")

// errMoved says that partitions came or went, and what is known of them is of before.
var errMoved = errors.New("partitions moved")

// Source hands out the batches of its lanes.
type Source struct {
	options Options
	// side asks, ticks and writes dead letters; it never joins the group.
	side      *kgo.Client
	identity  testengine.LogIdentity
	topics    map[string]topic
	partition func(*kgo.Record, int) int

	mu      sync.Mutex
	client  *kgo.Client // the group's
	session int         // counts clients of the group
	lanes   map[string]map[int32]*lane
	ordered []*lane // the same, by number
	outbox  []*Batch
	// cycle is the running transaction's number, 0 between cycles.
	cycle    int64
	doomed   error // why the cycle will be aborted
	out      int   // live batches that are not back, of whoever owns their lanes by now
	moved    bool  // partitions came or went in this cycle
	draining bool  // nothing more is handed out
	buffered int64 // bytes of records that are polled and not done
	record   int64 // average bytes of a record
	refused  error
	broken   error  // why the session has to begin again
	member   string // as whom the session was first given partitions
	stood    string // where the lanes of the last session stood; its own goroutine's

	committing chan struct{} // holds a token while a commit without a transaction is on its way

	wake    chan struct{}   // the outbox has something, or Read has to end
	changed chan struct{}   // a batch came back, or room was made
	running context.Context //nolint:containedctx // It bounds the source's own goroutines, not a call.
	stop    context.CancelFunc
	workers sync.WaitGroup
	closed  sync.Once
}

// topic is what the brokers said at the start.
type topic struct {
	id         [16]byte
	partitions int
	first      int // number of partition 0's lane
}

// Open finds the topics and their committed offsets, and joins the group. An
// error that is ErrRefused is for ever; others are the brokers': try again.
func Open(ctx context.Context, options Options) (*Source, error) {
	s := &Source{
		options: options.withDefaults(), wake: make(chan struct{}, 1), changed: make(chan struct{}, 1), committing: make(chan struct{}, 1),
		lanes: make(map[string]map[int32]*lane), record: 1 << 10, partition: keyPartition(),
	}
	side, err := newClient(options.Client, kgo.RecordPartitioner(Placed()))
	if err != nil {
		return nil, err
	}
	s.side = side
	if err := s.survey(ctx); err != nil {
		side.Close()
		return nil, s.asRefusal(err)
	}
	s.running, s.stop = context.WithCancel(context.Background())
	s.workers.Go(func() { s.keep(s.running) })
	s.workers.Go(func() { s.work(s.running) })
	return s, nil
}

// newClient makes a client that sends no figures of its own to the brokers.
func newClient(reach []kgo.Opt, options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(slices.Concat([]kgo.Opt{kgo.DisableClientMetrics()}, reach, options)...)
}

// Identity is the log that the source reads.
func (s *Source) Identity() testengine.LogIdentity { return s.identity }

// work joins the group, again after each session that broke.
func (s *Source) work(ctx context.Context) {
	run := s.runPlain
	switch {
	case s.options.Transaction != nil:
		run = s.runTransactions
	case s.options.Ranges.Rows > 0:
		run = s.runRanges
	}
	for failures := 0; ctx.Err() == nil; failures++ {
		began := time.Now()
		err := s.asRefusal(run(ctx))
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, ErrRefused):
			s.refuse(err)
			return
		case err != nil:
			s.options.Logger.Warnf("The session of group %s broke and begins again, it had %s: %v", s.options.Group, s.stood, err)
		}
		if time.Since(began) > longestPause {
			failures = 0
		}
		pause.For(ctx, backOff(failures))
	}
}

// refuse ends the source with one sentence.
func (s *Source) refuse(err error) {
	s.mu.Lock()
	if s.refused == nil {
		s.refused = err
	}
	s.draining = true
	s.mu.Unlock()
	signal(s.wake)
	signal(s.changed)
	s.stop()
}

// Read returns the next batch of any lane. After an error that is ErrRefused,
// or ErrClosed, there is nothing more.
func (s *Source) Read(ctx context.Context) (*Batch, error) {
	for {
		s.mu.Lock()
		refused := s.refused
		var batch *Batch
		if len(s.outbox) > 0 {
			batch, s.outbox = s.outbox[0], s.outbox[1:]
		}
		more := len(s.outbox) > 0
		s.mu.Unlock()
		if more {
			signal(s.wake)
		}
		switch {
		case refused != nil:
			if batch != nil {
				batch.Done(refused)
			}
			return nil, refused
		case batch != nil:
			return batch, nil
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.running.Done():
			if s.refusal() == nil {
				return nil, ErrClosed
			}
		}
	}
}

func (s *Source) refusal() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// Close lets the batches that are out come back for a while, ends the cycle
// with what is done, and leaves.
func (s *Source) Close() {
	s.closed.Do(func() {
		s.mu.Lock()
		s.withdraw()
		s.draining = true
		s.mu.Unlock()
		signal(s.changed)
		s.stop()
		s.workers.Wait()
		s.side.Close()
	})
}

func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}
