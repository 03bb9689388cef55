package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/message/pause"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// ErrClosed is returned by Read after Close.
var ErrClosed = errors.New("the source is closed")

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

// poll waits for records until the deadline and gives them to their lanes.
func (s *Source) poll(ctx context.Context, client *kgo.Client, wait time.Duration) (taken int, err error) {
	s.mu.Lock()
	room := s.options.BufferedBytes - s.buffered
	most := int(min(4096, max(16, room/max(1, s.record))))
	s.mu.Unlock()
	if room <= 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.changed:
		case <-ctx.Done():
		}
		return 0, nil
	}
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	fetches := client.PollRecords(limited, most)
	if fetches.IsClientClosed() {
		return 0, kgo.ErrClientClosed
	}
	fetches.EachError(func(topic string, partition int32, failure error) {
		if failed := s.pollError(topic, partition, failure); failed != nil && err == nil {
			err = failed
		}
	})
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 || err != nil {
			return
		}
		taken += len(p.Records)
		err = s.accept(p.Topic, p.Partition, p.Records)
	})
	return taken, err
}

// accept puts polled records behind those of their lane. mu is held. After
// errMoved the client's position counts records that nobody gets.
func (s *Source) accept(topic string, partition int32, records []*kgo.Record) error {
	l := s.lane(topic, partition)
	if l == nil || l.phase != phaseReady || l.seeking {
		return fmt.Errorf("records of topic %s partition %d came before it was assigned: %w", topic, partition, errMoved)
	}
	if first := records[0].Offset; first < l.polled {
		return fmt.Errorf("%s: record %d came after record %d: %w", l.Lane, first, l.polled-1, errMoved)
	}
	bytes := int64(0)
	for _, r := range records {
		if err := s.checkTime(r); err != nil {
			return err
		}
		bytes += sizeOf(r)
		l.push(r)
	}
	s.record += (bytes/int64(len(records)) - s.record) / 8
	s.buffered += bytes
	l.polledAt = time.Now()
	s.dispatch(l)
	return nil
}

// sizeOf is what a record counts in the byte budgets. Markers count nothing: one
// that comes alone moves its lane and is in no batch that could give its bytes back.
func sizeOf(r *kgo.Record) int64 {
	if r.Attrs.IsControl() {
		return 0
	}
	return int64(len(r.Key) + len(r.Value))
}

// dispatch puts the lane's next batch into the outbox, if it may have one. mu is held.
func (s *Source) dispatch(l *lane) {
	if s.draining || l.phase != phaseReady || l.busy || s.options.Ranges.Rows > 0 {
		return
	}
	most := s.options.BatchRecords
	if s.options.Transaction != nil {
		if s.cycle == 0 || s.doomed != nil {
			return
		}
		most = l.allowance(most)
	} else if l.failures > 0 && time.Now().Before(l.retryAt) {
		return
	}
	batch := l.take(most, s.options.BatchBytes)
	if batch == nil {
		return
	}
	batch.source, batch.LogID, batch.Cycle = s, s.identity.ID, s.cycle
	s.openCycle(l, s.cycle)
	s.hand(batch)
}

// openCycle tells the state which cycle's records it may take; 0 is those of none.
func (s *Source) openCycle(l *lane, number int64) {
	if guard, ok := s.options.Follower.(testengine.CycleGuard); ok {
		guard.OpenCycle(l.Number, number)
	}
}

// hand gives a batch to whoever reads. mu is held.
func (s *Source) hand(batch *Batch) {
	batch.of.busy = true
	if batch.settled == nil {
		s.out++
	}
	s.outbox = append(s.outbox, batch)
	signal(s.wake)
}

// settle takes a batch back.
func (s *Source) settle(b *Batch, err error) {
	l := b.of
	if failer, ok := s.options.Follower.(testengine.Failer); ok && err == nil {
		err = failer.Failed(l.Number)
	}
	if err == nil && b.settled == nil && s.options.Transaction == nil && s.options.Follower != nil {
		s.options.Follower.Acked(l.Number, b.next)
	}
	s.mu.Lock()
	l.busy = false
	if b.settled == nil {
		s.out--
	}
	switch {
	case b.settled != nil:
		b.settled <- err
	case err != nil && s.options.Transaction != nil:
		s.buffered -= b.bytes
		l.blame(b, err)
		s.doom(fmt.Errorf("a batch of %s came back with an error: %w", l.Lane, err))
	case err != nil:
		s.again(l, b)
	default:
		s.buffered -= b.bytes
		l.advance(b)
		if s.options.Transaction == nil {
			l.failures = 0
		}
		s.dispatch(l)
	}
	s.mu.Unlock()
	if err != nil && b.settled == nil {
		s.options.Logger.Warnf("A batch of %s came back with an error and is done again, offset %d to %d: %v",
			l.Lane, b.Entries[0].Record.Offset, b.next-1, err)
	}
	signal(s.changed)
}

// doom says that the cycle will be aborted. mu is held.
func (s *Source) doom(why error) {
	if s.doomed != nil {
		return
	}
	s.doomed = why
	s.withdraw()
	signal(s.changed)
}

// withdraw takes back the live batches that nobody has read yet. mu is held.
func (s *Source) withdraw() {
	s.outbox = slices.DeleteFunc(s.outbox, func(b *Batch) bool {
		if b.settled != nil {
			return false
		}
		s.unhand(b)
		return true
	})
}

// unhand takes back a live batch that nobody has read. mu is held.
func (s *Source) unhand(b *Batch) {
	s.out--
	b.of.busy = false
	b.of.giveBack(b)
}

var errMoved = errors.New("partitions moved")
