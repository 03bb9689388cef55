package uploadlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/message/pause"
	"github.com/connect-testengine/connect-testengine/plugins/message/refusal"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/uploadlog/disklog"
)

// delivery is where a lane stands behind the log.
type delivery struct {
	phase phase
	next  int64 // The next number to hand out.
	done  int64 // Everything below is done.
	// stored is behind the last entry that the store has. What is handed out below
	// brings state back: the store drops what comes of it.
	stored int64
	nacks  int  // How often in a row the batch came back with an error.
	tick   bool // A tick is on its way into the log.

	// flights are the batches on their way, the oldest first. All but the last have
	// passed the processors and wait for the store.
	flights []*flight
	// reading says that a batch is being read, which is no flight yet.
	reading bool
	// failing says that one came back with an error: all have to come back before
	// the lane's state can go back to what is certain.
	failing bool
	// settling keeps the acks of a lane in their order.
	settling sync.Mutex
}

type phase int

const (
	phaseRestoring phase = iota
	phaseReady
	phaseInFlight // A batch is in the processors.
)

const longestRetryPause = time.Second

// WriteBatch implements service.BatchBuffer: it returns at once, ack is called
// when all messages are durable. An error becomes the door's refusal.
func (u *uploadLog) WriteBatch(ctx context.Context, batch service.MessageBatch, ack service.AckFunc) error {
	now := u.now()
	entries := make([]disklog.Entry, 0, len(batch))
	var waited int64
	for _, m := range batch {
		one, _ := message.Int(m, testengine.MetaWaited)
		waited = max(waited, one)
		made, err := entriesFromMessage(m, u.log, now.UnixMilli(), u.spool != nil)
		if err != nil {
			return fmt.Errorf("reading a message for the upload log: %w", err)
		}
		entries = append(entries, made...)
	}
	u.mu.Lock()
	u.lastAppend = now
	refused := u.refused
	u.mu.Unlock()
	if refused != nil {
		return refused
	}
	return u.append(entries, now.Add(-time.Duration(waited)*time.Millisecond), func(err error) {
		_ = ack(context.WithoutCancel(ctx), err) // Whoever does not hear of it repeats the upload.
	})
}

// append gives each owner's entries, which wait since then, to the log in an Append
// of their own, and answers once: when all are durable (with a spool, when it lets
// them be answered), with the first error otherwise. It returns an error, and does
// not answer, when the log takes nothing.
func (u *uploadLog) append(entries []disklog.Entry, since time.Time, answer func(error)) error {
	var parts [][]disklog.Entry
	for len(entries) > 0 {
		n := slices.IndexFunc(entries, func(e disklog.Entry) bool { return e.Owner != entries[0].Owner })
		if n < 0 {
			n = len(entries)
		}
		parts, entries = append(parts, entries[:n:n]), entries[n:]
	}
	if len(parts) == 0 {
		answer(nil)
		return nil
	}
	var left atomic.Int64
	var failed atomic.Pointer[error]
	left.Store(int64(len(parts)))
	for i, part := range parts {
		count := int64(len(part))
		done := func(err error) {
			if err != nil {
				u.metrics.refused.Incr(count)
				failed.CompareAndSwap(nil, &err)
			}
			if left.Add(-1) > 0 {
				return
			}
			if first := failed.Load(); first != nil {
				answer(*first)
				return
			}
			answer(nil)
		}
		err := u.log.Append(part, func(err error) {
			if err == nil && u.spool != nil {
				u.spool.Durable(u.now(), since, placesOf(part), func() { done(nil) })
				return
			}
			done(err)
		})
		switch {
		case err == nil:
		case i == 0:
			u.metrics.refused.Incr(count)
			return err
		default:
			done(err) // The log still reads what it has taken before.
		}
	}
	return nil
}

// ReadBatch implements service.BatchBuffer: it waits for a lane that has something
// to hand out and returns one batch of it. The lane's next batch follows after the
// ack, or, where batches are pipelined, once the store has received this one.
func (u *uploadLog) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	for {
		lane, from, err := u.claim()
		if err != nil {
			return nil, nil, err
		}
		if lane >= 0 {
			return u.handOut(lane, from)
		}
		select {
		case <-u.changed:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// claim takes the next lane that has something to hand out, in turns; -1 is none.
func (u *uploadLog) claim() (lane int, from int64, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.refused != nil || u.ended && !u.config.drain {
		return -1, 0, service.ErrEndOfBuffer
	}
	if u.spool != nil && u.spool.Paused(u.now()) {
		return -1, 0, nil
	}
	busy := false
	for range u.lanes {
		lane := u.turn
		u.turn = (u.turn + 1) % len(u.lanes)
		at := &u.lanes[lane]
		if at.phase == phaseReady && len(at.flights) < maxFlights && u.log.Holds(lane, at.next, u.worthAFlight(len(at.flights))) {
			at.phase, at.reading = phaseInFlight, true
			return lane, at.next, nil
		}
		busy = busy || at.phase != phaseReady || len(at.flights) > 0
	}
	if u.ended && !busy {
		return -1, 0, service.ErrEndOfBuffer
	}
	return -1, 0, nil
}

func (u *uploadLog) handOut(lane int, from int64) (service.MessageBatch, service.AckFunc, error) {
	records, err := u.log.Read(lane, from, u.config.batch)
	if err != nil {
		u.refuse(fmt.Errorf("reading lane %d of the upload log: %w", lane, err))
		return nil, nil, service.ErrEndOfBuffer
	}
	if u.spool != nil {
		u.spool.HandedOut(u.now(), bytesOf(records))
	}
	// The bodies belong to the batch from now on; what the ack needs is small.
	batch := batchFromRecords(records, u.log.Identity().ID)
	f := &flight{begin: from, next: records[len(records)-1].Number + 1, records: records}
	u.mu.Lock()
	at := &u.lanes[lane]
	at.next, at.flights, at.reading = f.next, append(at.flights, f), false
	stored := at.stored
	u.mu.Unlock()
	for i := range records {
		if records[i].Number < stored {
			batch[i].MetaSetMut(testengine.MetaSilent, true)
		}
		records[i].Body, records[i].Meta = nil, nil
	}
	if u.pipelined {
		batch[0].MetaSetMut(testengine.MetaBatchBegin, f.begin)
		batch[len(batch)-1].MetaSetMut(testengine.MetaBatchEnd, f.next)
	}
	return batch, func(_ context.Context, err error) error {
		u.settle(lane, f, err)
		return nil
	}, nil
}

// restore brings the lane's state to the lane's cursor and lets it go on from there.
func (u *uploadLog) restore(lane, nacks int) {
	if !u.rest(nacks) {
		return
	}
	next, err := u.whereToBegin(u.running, lane)
	if err != nil {
		switch {
		case u.running.Err() != nil:
		case outOfOrder(err):
			u.logger.Errorf("trying again: %v", err)
			u.workers.Go(func() { u.restore(lane, nacks+1) })
		default:
			u.refuse(err)
		}
		return
	}
	u.mu.Lock()
	at := &u.lanes[lane]
	at.phase, at.next, at.done = phaseReady, next, next
	u.mu.Unlock()
	u.keepNeeded(lane)
	u.signal()
}

// outOfOrder tells a disk that is full or does not answer, which may pass, from
// a reason to stop.
func outOfOrder(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EIO)
}

// rest waits a little longer after each failure in a row; false means that the buffer closes.
func (u *uploadLog) rest(nacks int) bool {
	if nacks == 0 {
		return u.running.Err() == nil
	}
	wait := min(longestRetryPause, 5*time.Millisecond<<min(nacks, 10))
	return pause.For(u.running, wait)
}

// whereToBegin asks the store and the state. Neither may be behind what the log still has.
func (u *uploadLog) whereToBegin(ctx context.Context, lane int) (int64, error) {
	identity, begin, cursor := u.log.Identity(), u.log.Begin(lane), u.log.Cursor(lane)
	if u.store != nil {
		watermark, known, err := u.store.Watermark(ctx, identity, lane)
		switch {
		case err != nil:
			return 0, fmt.Errorf("comparing the store with the upload log: %w", err)
		case watermark > u.log.End():
			return 0, fmt.Errorf("the store is ahead of the upload log: it has lane %d up to entry %d, the log in %s ends at %d", lane, watermark, u.config.path, u.log.End())
		case watermark < begin:
			return 0, fmt.Errorf("the store is behind the upload log: it needs lane %d from entry %d on, the log in %s begins at %d", lane, watermark, u.config.path, begin)
		case known || begin == 0:
			cursor = min(cursor, watermark)
		}
		u.mu.Lock()
		u.lanes[lane].stored = watermark
		u.mu.Unlock()
	}
	if u.follower == nil {
		return cursor, nil
	}
	next, err := u.follower.Restore(ctx, identity, lane, begin, cursor)
	if err != nil {
		return 0, fmt.Errorf("restoring the state of lane %d: %w", lane, err)
	}
	if next < begin || next > cursor {
		return 0, fmt.Errorf("restoring the state of lane %d: it stands at entry %d, outside of %d to %d", lane, next, begin, cursor)
	}
	return next, nil
}

// refuse ends the stream with one sentence: going on would lose or double something.
func (u *uploadLog) refuse(err error) {
	u.mu.Lock()
	first := u.refused == nil
	if first {
		u.refused = err
	}
	u.mu.Unlock()
	if first && !errors.Is(err, context.Canceled) {
		refusal.Refuse(u.logger, fmt.Errorf("the upload log stops: %w", err))
	}
	u.signal()
}
