package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/message/pause"
)

// runRanges is one session for stores: each lane is cut into ranges, every range
// is committed as an intent before it is handed out, and handed out whole.
func (s *Source) runRanges(ctx context.Context) error {
	client, err := s.join()
	if err != nil {
		return err
	}
	defer s.leave(client.Close)
	defer func() { s.drain(context.WithoutCancel(ctx), client, s.mine()) }()
	session, cancel := context.WithCancel(ctx)
	defer cancel()
	for ctx.Err() == nil {
		if err := s.breakage(); err != nil {
			return err
		}
		s.seek(client)
		s.startCutters(session, client)
		if _, err := s.poll(ctx, client, min(idlePoll, s.options.Ranges.Period)); err != nil {
			return err
		}
	}
	return nil
}

// startCutters gives each lane that stands at c a goroutine that cuts it.
func (s *Source) startCutters(ctx context.Context, client *kgo.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.ordered {
		if l.phase != phaseReady || l.seeking || l.cutting == l.load {
			continue
		}
		load := l.load
		l.cutting = load
		s.workers.Go(func() { s.cutLane(ctx, client, l, load) })
	}
}

// cutLane cuts ranges until the lane goes elsewhere.
func (s *Source) cutLane(ctx context.Context, client *kgo.Client, l *lane, load int) {
	for ctx.Err() == nil {
		batch := s.nextRange(ctx, client, l, load)
		if batch == nil {
			return
		}
		if err := s.commitIntent(ctx, client, l, load, batch.next); err != nil {
			s.dropRange(l, batch, err)
			return
		}
		if err := s.deliverRange(ctx, l, load, batch); err != nil {
			s.dropRange(l, batch, err)
			return
		}
		s.free(batch)
	}
}

// free gives the batch's bytes back to the budget.
func (s *Source) free(batch *Batch) {
	s.mu.Lock()
	s.buffered -= batch.bytes
	s.mu.Unlock()
	signal(s.changed)
}

// dropRange gives a range up that is not ours any more, or whose intent could
// not be written: nothing of it was handed out, or its new owner does it again.
func (s *Source) dropRange(l *lane, batch *Batch, err error) {
	s.free(batch)
	if !errors.Is(err, errSuperseded) && !errors.Is(err, context.Canceled) {
		s.options.Logger.Warnf("A range of %s is given up, offset %d to %d: %v", l.Lane, batch.Range.Begin, batch.Range.End, err)
		s.abandon(err)
	}
}

// abandon ends the session: the lanes come back with what is committed.
func (s *Source) abandon(why error) {
	s.mu.Lock()
	s.broken = why
	s.mu.Unlock()
	signal(s.changed)
}

func (s *Source) breakage() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// nextRange waits until the lane's queue makes a range; nil means that the lane
// goes elsewhere. When nothing comes for a period, c moves on without an intent.
func (s *Source) nextRange(ctx context.Context, client *kgo.Client, l *lane, load int) *Batch {
	period := s.options.Ranges.Period
	for {
		s.mu.Lock()
		if l.load != load || l.phase != phaseReady {
			s.mu.Unlock()
			return nil
		}
		batch := s.cut(l)
		behind := batch == nil && len(l.queue) == 0 && l.next > l.committed && time.Since(l.oldest) >= period
		if behind {
			l.oldest = time.Now() // Until the next try.
		}
		s.mu.Unlock()
		if batch != nil {
			return batch
		}
		if behind {
			if err := s.commitDone(ctx, client, map[string][]int32{l.Topic: {l.Partition}}); err != nil {
				s.options.Logger.Warnf("Committing the end of a range, which is tried again, %s: %v", s.uncommitted(), err)
			}
		}
		if !pause.For(ctx, min(cutPause, period)) {
			return nil
		}
	}
}

// cutPause is how often a lane looks whether its queue makes a range.
const cutPause = 20 * time.Millisecond

// cut takes the queue's next range, if there is a whole one, or one that has
// waited long enough. mu is held.
func (s *Source) cut(l *lane) *Batch {
	limit := s.options.Ranges
	rows, bytes, count, due := int64(0), int64(0), 0, false
	for _, e := range l.queue {
		rows, bytes = rows+s.rows(e.Record), bytes+sizeOf(e.Record)
		count++
		if due = rows >= limit.Rows || bytes >= limit.Bytes; due {
			break
		}
	}
	if !due && (count == 0 || time.Since(l.oldest) < limit.Period) {
		return nil
	}
	begin := l.next
	batch := l.take(count, bytes+1)
	l.oldest = time.Now()
	if batch != nil {
		batch.Range = &Range{Begin: begin, End: batch.next}
	}
	return batch
}

func (s *Source) rows(r *kgo.Record) int64 {
	if s.options.Rows == nil || r.Attrs.IsControl() {
		return 1
	}
	return max(1, s.options.Rows(r))
}

// commitIntent says durably, and fenced by the group's generation, that [c, end)
// is about to be handed out as one range.
func (s *Source) commitIntent(ctx context.Context, client *kgo.Client, l *lane, load int, end int64) error {
	done, err := s.lineUp(ctx)
	if err != nil {
		return err
	}
	defer done()
	s.mu.Lock()
	at, note := kgo.EpochOffset{Epoch: l.epoch, Offset: l.next}, s.note(l)
	s.mu.Unlock()
	note.Intent = end
	notes := map[string]map[int32]string{l.Topic: {l.Partition: note.encode()}}
	err = errRejoined
	for errors.Is(err, errRejoined) {
		var as membership
		if as, err = s.membership(client); err != nil {
			break
		}
		if !s.current(l, load) {
			return errSuperseded
		}
		err = commitOffsets(ctx, client, as, offsets{l.Topic: {l.Partition: at}}, notes)
	}
	if err != nil {
		return fmt.Errorf("committing the intent of a range: %w", err)
	}
	s.mu.Lock()
	l.committed = at.Offset
	s.mu.Unlock()
	return nil
}

// deliverRange hands the range out until it is taken.
func (s *Source) deliverRange(ctx context.Context, l *lane, load int, batch *Batch) error {
	for failures := 0; ; failures++ {
		err := s.handAndWait(ctx, l, load, batch)
		if err == nil {
			break
		}
		if ctx.Err() != nil || errors.Is(err, errSuperseded) {
			return err
		}
		s.options.Logger.Warnf("A range of %s came back with an error and is handed out again, offset %d to %d: %v", l.Lane, batch.Range.Begin, batch.Range.End, err)
		if !pause.For(ctx, backOff(failures)) {
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l.advance(batch)
	return nil
}

// fill gives the store what it lacks below c: it may have come back from a
// backup, or be new. What it has of that it drops.
func (s *Source) fill(ctx context.Context, l *lane, load int, c int64) error {
	if s.options.Store == nil || s.options.Ranges.Rows == 0 {
		return nil
	}
	begin, end, err := s.bounds(ctx, l)
	if err != nil {
		return err
	}
	watermark, known, err := s.options.Store.Watermark(ctx, s.identity, l.Number)
	switch {
	case err != nil && ctx.Err() == nil:
		return refuse("comparing the store with %s: %v", l.Lane, err)
	case err != nil:
		return err
	case !known && begin > 0:
		return nil // It begins with what there is.
	case watermark > end:
		return refuse("the store is ahead of %s: it has everything up to offset %d, the log ends at %d", l.Lane, watermark, end)
	case watermark < begin:
		return refuse("the store is behind %s: it needs it from offset %d on, the log begins at %d", l.Lane, watermark, begin)
	case watermark >= c:
		return nil
	}
	at := watermark
	_, err = s.readRange(ctx, l, span{from: watermark, to: c}, func(part *Batch) error {
		part.Range = &Range{Begin: at, End: part.next}
		at = part.next
		return s.deliverRange(ctx, l, load, part)
	})
	return err
}

// redo does exactly the range that a predecessor announced, before anything else.
func (s *Source) redo(ctx context.Context, l *lane, load int, announced span) (*Batch, error) {
	whole := &Batch{}
	epoch, err := s.readRange(ctx, l, announced, func(part *Batch) error {
		whole.Entries = append(whole.Entries, part.Entries...)
		whole.time = part.time
		return nil
	})
	if err != nil {
		return nil, err
	}
	whole.next, whole.epoch, whole.Range = announced.to, epoch, &Range{Begin: announced.from, End: announced.to}
	if len(whole.Entries) == 0 {
		return whole, nil
	}
	return whole, s.deliverRange(ctx, l, load, whole)
}
