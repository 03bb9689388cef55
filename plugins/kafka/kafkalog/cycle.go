package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/connect-testengine/connect-testengine/plugins/message/pause"
)

// idlePoll is how long a cycle without a record waits at a time.
const idlePoll = 250 * time.Millisecond

var errOverdue = errors.New("the cycle took too long")

// runTransactions is one session: it joins the group and runs cycles until the
// session breaks, the source is refused, or ctx ends.
func (s *Source) runTransactions(ctx context.Context) error {
	t := s.options.Transaction
	if err := t.open(s.memberOptions()...); err != nil {
		return err
	}
	defer s.leave(t.close)
	for failures := 0; ctx.Err() == nil; {
		committed, err := s.runCycle(ctx)
		if err != nil {
			return err
		}
		if failures++; committed {
			failures = 0
		} else {
			pause.For(ctx, backOff(failures))
		}
	}
	return nil
}

// leave forgets the lanes of a session and closes it. Batches that are out must
// have come back: their cycle is over. A client that is in the middle of a
// rebalance closes late; nobody hears it any more.
func (s *Source) leave(closeSession func()) {
	s.mu.Lock()
	s.client = nil
	s.session++
	var lanes []*lane
	for _, l := range s.all() {
		if l.phase != phaseGone {
			lanes = append(lanes, l)
		}
		s.release(l)
	}
	s.stood = places(lanes)
	s.mu.Unlock()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		closeSession()
	}()
	timer := time.NewTimer(s.options.Drain)
	defer timer.Stop()
	select {
	case <-closed:
	case <-timer.C:
	}
}

// runCycle is one transaction: gather and hand out, wait until all is back, end.
// An error means that the session is of no use any more.
func (s *Source) runCycle(ctx context.Context) (committed bool, err error) {
	number, err := s.options.Transaction.begin()
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	s.cycle, s.doomed, s.moved = number, nil, false
	for _, l := range s.all() {
		l.touched, l.given = false, 0
	}
	s.mu.Unlock()
	began, err := s.gather(ctx)
	s.await(ctx, began)
	if err != nil {
		if s.options.Observer != nil {
			s.options.Observer.Cycle(resultBroken, time.Since(began))
		}
		return false, err
	}
	return s.end(ctx, began)
}

// gather polls until the cycle's time is over, which begins with its first record.
func (s *Source) gather(ctx context.Context) (began time.Time, err error) {
	client := s.options.Transaction.client()
	wait := idlePoll
	for ctx.Err() == nil {
		s.seek(client)
		if !began.IsZero() {
			if wait = s.options.Cycle - time.Since(began); wait <= 0 {
				break
			}
		}
		taken, err := s.poll(ctx, client, wait)
		s.mu.Lock()
		if errors.Is(err, errMoved) {
			s.doom(err)
			err = nil
		} else if err != nil {
			s.doom(err)
		}
		over := s.doomed != nil || s.moved && began.IsZero() && taken == 0
		s.mu.Unlock()
		if taken > 0 && began.IsZero() {
			began = time.Now()
		}
		if err != nil || over {
			return began, err
		}
	}
	return began, nil
}

// await returns when every batch of the cycle has come back. What takes too long
// is aborted, but not before it is back: a late batch would land in the next
// transaction.
func (s *Source) await(ctx context.Context, began time.Time) {
	overdue := time.NewTimer(s.options.AbortAfter)
	if !began.IsZero() {
		overdue.Reset(s.options.AbortAfter - time.Since(began))
	}
	defer overdue.Stop()
	closing := ctx.Done()
	for !s.allBack() {
		select {
		case <-s.changed:
		case <-closing:
			closing = nil
			s.mu.Lock()
			s.draining = true
			s.withdraw()
			s.mu.Unlock()
			overdue.Reset(s.options.Drain)
		case <-overdue.C:
			s.mu.Lock()
			s.blameBusy()
			s.doom(errOverdue)
			s.mu.Unlock()
			if closing == nil {
				return // The process ends; what is out is nobody's any more.
			}
		}
	}
}

// allBack says whether nothing of the cycle is out or can still be handed out. A
// batch counts until it is back, whoever has its lane by now.
func (s *Source) allBack() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.all() {
		s.dispatch(l)
	}
	return s.out == 0
}

// blameBusy halves the lanes whose batches are overdue. A slow batch is never
// poison: it may be the machine that is slow. mu is held.
func (s *Source) blameBusy() {
	for _, l := range s.all() {
		if l.busy && l.phase == phaseReady {
			if l.given > 1 {
				l.limit = max(1, l.given/2)
			}
			s.options.Logger.Warnf("A batch of %s takes longer than %s and is aborted, from offset %d on", l.Lane, s.options.AbortAfter, l.next)
		}
	}
}

// end commits the cycle if every batch and every record is where it belongs, and
// aborts it otherwise.
func (s *Source) end(ctx context.Context, began time.Time) (committed bool, err error) {
	t := s.options.Transaction
	t.seal()
	client := t.client()
	// Its own time: a cancelled end leaves the session in an unknown state.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.Timeout)
	defer cancel()
	s.mu.Lock()
	why := s.doomed
	if why == nil {
		why = s.refused
	}
	s.mu.Unlock()
	if why == nil {
		if err := client.Flush(ending); err != nil {
			why = fmt.Errorf("writing the outputs of a cycle: %w", err)
		}
	}
	if lanes, failed := t.failure(); failed != nil {
		s.blameLanes(lanes)
		if why == nil {
			why = failed
		}
		if errors.Is(failed, kerr.UnknownTopicOrPartition) {
			failed = refuse("%v: `connect-testengine topics create` makes the topics", failed)
		}
		if refused := s.asRefusal(failed); errors.Is(refused, ErrRefused) {
			return false, refused
		}
	}
	// An empty cycle is aborted: there is nothing to commit, and the client holds
	// half a second for a commit without offsets.
	empty := began.IsZero()
	try := kgo.TransactionEndTry(why == nil && !empty)
	committed, err = t.session.End(kgo.PreTxnCommitFnContext(ending, s.offsets), try)
	s.mu.Lock()
	s.cycle = 0
	s.mu.Unlock()
	s.observe(committed, err, why, began)
	switch {
	case err != nil:
		return false, fmt.Errorf("ending a transaction: %w", err)
	case committed:
		return true, s.commit(ctx, client)
	}
	return empty && why == nil, s.rewind(ctx, client)
}

// touched says where the lanes of the cycle begin again.
func (s *Source) touched() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lanes []*lane
	for _, l := range s.all() {
		if l.touched {
			lanes = append(lanes, l)
		}
	}
	return places(lanes)
}

func (s *Source) observe(committed bool, err, why error, began time.Time) {
	if why != nil && !errors.Is(why, errMoved) {
		s.options.Logger.Warnf("A cycle of group %s is aborted and done again, %s: %v", s.options.Group, s.touched(), why)
	}
	if s.options.Observer == nil || began.IsZero() {
		return
	}
	result := resultAborted
	switch {
	case err != nil:
		result = resultBroken
	case committed:
		result = resultCommitted
	}
	s.options.Observer.Cycle(result, time.Since(began))
}

// offsets writes where the lanes really stand into the commit: the client knows
// only what it polled. It runs under the client's locks and must not block.
func (s *Source) offsets(r *kmsg.TxnOffsetCommitRequest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range r.Topics {
		for j := range r.Topics[i].Partitions {
			at := &r.Topics[i].Partitions[j]
			l := s.lane(r.Topics[i].Topic, at.Partition)
			if l == nil || l.phase != phaseReady || l.next < l.committed {
				return fmt.Errorf("topic %s partition %d is not where the commit would put it: %w", r.Topics[i].Topic, at.Partition, errMoved)
			}
			note := s.note(l).encode()
			at.Offset, at.LeaderEpoch, at.Metadata = l.next, l.epoch, &note
		}
	}
	return nil
}

// commit moves c of every lane behind what it has done.
func (s *Source) commit(ctx context.Context, client *kgo.Client) error {
	var done, took []*lane
	short := false
	s.mu.Lock()
	for _, l := range s.all() {
		if l.phase != phaseReady {
			continue
		}
		if l.next != l.committed {
			done = append(done, l)
			if l.touched {
				took = append(took, l)
			}
		}
		l.committed, l.clean = l.next, true
		l.trust(s.options.BatchRecords)
		short = short || l.next != l.polled
	}
	s.mu.Unlock()
	if s.options.Follower != nil {
		for _, l := range took {
			// Markers alone are nothing to state: before the first record it has no table.
			s.options.Follower.Acked(l.Number, l.committed)
		}
		for _, l := range done {
			s.openCycle(l, 0)
		}
	}
	if short {
		return s.rewind(ctx, client) // The client believes that all it polled is committed.
	}
	return nil
}

// blameLanes counts a record that could not be written against its lane.
func (s *Source) blameLanes(numbers []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.all() {
		for _, number := range numbers {
			if l.Number == number && l.given > 0 {
				l.halve(l.given, l.first)
			}
		}
	}
}
