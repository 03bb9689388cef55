package kafkalog

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

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
