package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/stream/uploadlog"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// delivery is where a lane stands behind the log.
type delivery struct {
	phase phase
	next  int64 // The next number to hand out.
	// stored is behind the last entry that the store has. What is handed out below
	// brings state back: the store drops what comes of it.
	stored int64
	nacks  int  // How often in a row the batch came back with an error.
	tick   bool // A tick is on its way into the log.
}

type phase int

const (
	phaseRestoring phase = iota
	phaseReady
	phaseInFlight
)

const longestRetryPause = time.Second

// WriteBatch implements service.BatchBuffer: it returns at once, ack is called
// when all messages are durable. An error becomes the door's refusal.
func (u *uploadLog) WriteBatch(ctx context.Context, batch service.MessageBatch, ack service.AckFunc) error {
	now := u.now()
	entries := make([]uploadlog.Entry, 0, len(batch))
	for _, m := range batch {
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
	return u.append(entries, func(err error) {
		_ = ack(context.WithoutCancel(ctx), err) // Whoever does not hear of it repeats the upload.
	})
}

// append gives the log each owner's entries by themselves, and answers when all
// of them are durable or one is not.
func (u *uploadLog) append(entries []uploadlog.Entry, answer func(error)) error {
	var parts [][]uploadlog.Entry
	for len(entries) > 0 {
		n := slices.IndexFunc(entries, func(e uploadlog.Entry) bool { return e.Owner != entries[0].Owner })
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
				u.spool.Durable(u.now(), placesOf(part), func() { done(nil) })
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

// ReadBatch implements service.BatchBuffer: one batch of one lane, the next of
// the same lane only after its ack.
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
		if at.phase == phaseReady && !u.log.AtEnd(lane, at.next) {
			at.phase = phaseInFlight
			return lane, at.next, nil
		}
		busy = busy || at.phase != phaseReady
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
	u.mu.Lock()
	stored := u.lanes[lane].stored
	u.mu.Unlock()
	for i := range records {
		if records[i].Number < stored {
			batch[i].MetaSetMut(testengine.MetaSilent, true)
		}
		records[i].Body, records[i].Meta = nil, nil
	}
	return batch, func(_ context.Context, err error) error {
		u.settle(lane, records, err)
		return nil
	}, nil
}

// settle moves the lane on after an ack. After an error the lane's state goes
// back to what is certain, and the same records are handed out again: no later
// record ever overtakes one that failed.
func (u *uploadLog) settle(lane int, records []uploadlog.Record, failure error) {
	next := records[len(records)-1].Number + 1
	if failer, ok := u.follower.(testengine.Failer); ok && failure == nil {
		failure = failer.Failed(lane)
	}
	if failure == nil {
		u.log.Done(lane, next, records)
		if u.follower != nil {
			u.follower.Acked(lane, next)
		}
		if u.spool != nil {
			u.spool.Done(lane, next)
		}
	}
	u.mu.Lock()
	at := &u.lanes[lane]
	if failure == nil {
		at.phase, at.next, at.nacks = phaseReady, next, 0
	} else {
		at.phase = phaseRestoring
		at.nacks++
		if !u.ended || u.config.drain {
			nacks := at.nacks
			u.workers.Go(func() { u.restore(lane, nacks) })
		} else {
			at.phase = phaseReady
		}
	}
	u.mu.Unlock()
	u.signal()
	if failure != nil {
		u.logger.Warnf("a batch of lane %d failed and is handed out again from entry %d: %v", lane, records[0].Number, failure)
	}
}

// restore brings the lane's state to the lane's cursor and lets it go on from there.
func (u *uploadLog) restore(lane, nacks int) {
	if !u.pause(nacks) {
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
	u.lanes[lane].phase, u.lanes[lane].next = phaseReady, next
	u.mu.Unlock()
	u.keepNeeded(lane)
	u.signal()
}

// outOfOrder tells a disk that is full or does not answer, which may pass, from
// a reason to stop.
func outOfOrder(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EIO)
}

// pause waits a little longer after each failure in a row; false means that the buffer closes.
func (u *uploadLog) pause(nacks int) bool {
	if nacks == 0 {
		return u.running.Err() == nil
	}
	wait := min(longestRetryPause, 5*time.Millisecond<<min(nacks, 10))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-u.running.Done():
		return false
	}
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
		refuse(u.logger, fmt.Errorf("the upload log stops: %w", err))
	}
	u.signal()
}
