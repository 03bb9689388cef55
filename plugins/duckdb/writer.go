package duckdb

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/duckdb/rows"
)

const (
	// queued is how many batches may wait without holding up their lanes.
	queued = 64
	// rowGroup is a row group of DuckDB. A transaction that has so many rows is taken
	// as it is, straight into the file; one with less is appended a second time,
	// written to DuckDB's own log, and packed later: about a seventh more CPU a row.
	rowGroup = 122_880
	// groupRequests and groupRows bound how many waiting batches share a transaction.
	groupRequests = 64
	groupRows     = 2 * rowGroup
	// After a transaction of behindRows the next one waits up to behindWait until it
	// has enoughRows, because a transaction costs as much CPU as tens of thousands
	// of rows. Lanes go on meanwhile.
	behindRows = 50_000
	enoughRows = rowGroup
	behindWait = 200 * time.Millisecond
	// While less comes in, one transaction begins paceTimes as long after the one
	// before as that took, at most longestPace: a transaction takes some 8 ms whatever
	// is in it, and so they take a quarter of a processor. What comes after a rest is
	// written at once.
	paceTimes   = 4
	longestPace = 100 * time.Millisecond
	// moveEvery is how long a test's new place may wait for its row.
	moveEvery = 10 * time.Second
	maxMoved  = 20_000
)

// request is one batch that wants to be stored.
type request struct {
	batch service.MessageBatch
	place batchPlace
	rows  int // executions
	done  chan error
	// taken is set by whoever comes first: the writer, or the caller who gives up.
	taken atomic.Bool
}

// write stores the batch in one transaction, perhaps with others. It tries once.
func (d *Database) write(ctx context.Context, batch service.MessageBatch) error {
	if err := d.ready(ctx); err != nil {
		return err
	}
	r := &request{batch: batch, place: placeOf(batch), rows: int(executions(batch)), done: make(chan error, 1)}
	select {
	case d.queue <- r:
	case <-ctx.Done():
		return ctx.Err()
	}
	if received := d.received.Load(); received != nil && r.place.known {
		(*received)(r.place.partition, r.place.begin)
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		if r.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		return <-r.done // it is being written: know how it ends
	}
}

// writer owns the one connection that writes.
type writer struct {
	d     *Database
	store *store
	names *rows.Names
	build *rows.Builder
	last  int           // rows of the last transaction
	began time.Time     // when it did
	took  time.Duration // how long it took
	order order
	moved time.Time // when moved tests were last written
}

func openWriter(ctx context.Context, d *Database) (*writer, error) {
	w := &writer{d: d, moved: time.Now()}
	return w, w.open(ctx)
}

// open opens the store and loads what the writer must know of it.
func (w *writer) open(ctx context.Context) error {
	store, err := openStore(ctx, w.d.conf)
	if err != nil {
		return err
	}
	names, marks, err := store.load(ctx, w.d.conf.tagSets)
	if err != nil {
		store.close(w.d.conf.closeTimeout)
		return err
	}
	w.store, w.names, w.build = store, names, rows.NewBuilder(names, marks)
	w.d.current.Store(store.db)
	w.d.committed(marks)
	return nil
}

func (w *writer) close() {
	w.d.current.Store(nil)
	if w.store != nil {
		w.store.close(w.d.conf.closeTimeout)
	}
}

// loop writes what is asked for, and deletes what is too old now and then.
func (w *writer) loop(ctx context.Context) {
	clean := time.NewTicker(w.d.conf.cleanEvery)
	defer clean.Stop()
	for {
		select {
		case <-ctx.Done():
			w.refuse()
			w.flushMoved()
			return
		case r := <-w.d.queue:
			w.serve(ctx, w.gather(r))
		case err := <-w.d.broken:
			if w.stillBroken(ctx) {
				_ = w.recover(ctx, err) // logged there
			}
		case <-clean.C:
			if err := w.clean(ctx); err != nil && ctx.Err() == nil {
				w.d.log.Warnf("Deleting what is older than %s: %v", w.d.conf.retention, err)
			}
		}
	}
}

// refuse answers those that wait at the end.
func (w *writer) refuse() {
	for {
		select {
		case r := <-w.d.queue:
			r.done <- errClosed
		default:
			return
		}
	}
}

// gather takes what else is waiting, or about to come, so that a commit serves several lanes.
func (w *writer) gather(first *request) []*request {
	group, rows := []*request{first}, first.rows
	wait := max(0, min(paceTimes*w.took, longestPace)-time.Since(w.began))
	if w.last >= behindRows {
		wait = behindWait
	}
	patience := time.NewTimer(wait)
	defer patience.Stop()
	for len(group) < groupRequests && rows < groupRows {
		select {
		case r := <-w.d.queue:
			group = append(group, r)
			rows += r.rows
			continue
		default:
		}
		if rows >= enoughRows {
			return group
		}
		select {
		case r := <-w.d.queue:
			group = append(group, r)
			rows += r.rows
		case <-patience.C:
			return group
		}
	}
	return group
}

// serve stores a group. When that fails each batch is tried alone, so that one
// which cannot be stored does not hold up the others.
func (w *writer) serve(ctx context.Context, group []*request) {
	live := group[:0]
	for _, r := range group {
		if r.taken.CompareAndSwap(false, true) {
			live = append(live, r)
		}
	}
	if len(live) == 0 {
		return
	}
	err := w.transact(ctx, live)
	if err == nil || len(live) == 1 {
		for _, r := range live {
			r.done <- err
		}
		return
	}
	for _, r := range live {
		r.done <- w.transact(ctx, []*request{r})
	}
}

// transact writes the rows of some batches and the watermarks behind them, all or nothing.
func (w *writer) transact(ctx context.Context, group []*request) error {
	w.build.Begin()
	defer w.build.Begin() // lets go of the batches
	defer w.order.begin()
	for _, r := range group {
		if err := w.order.check(r.place, w.build.Marks()); err != nil {
			return err
		}
		if err := stage(w.build, r.batch); err != nil {
			return err
		}
		w.order.staged(r.place)
	}
	w.last, w.began = w.build.Facts.Len(), time.Now()
	defer func() { w.took = time.Since(w.began) }()
	moved := w.shouldMove()
	if err := w.store.commit(ctx, w.build, w.names, moved, w.d.beforeCommit); err != nil {
		return w.recover(ctx, err)
	}
	w.build.Commit()
	w.order.commit()
	w.names.Stored(moved)
	if moved {
		w.moved = time.Now()
	}
	w.d.committed(w.build.Committed())
	return nil
}

// flushMoved writes the places that still wait, at the end.
func (w *writer) flushMoved() {
	if len(w.names.Pending().Moved) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), w.d.conf.closeTimeout)
	defer cancel()
	w.build.Begin()
	if err := w.store.commit(ctx, w.build, w.names, true, w.d.beforeCommit); err != nil {
		w.d.log.Warnf("Writing where %d tests have moved: %v", len(w.names.Pending().Moved), err)
	}
}

func (w *writer) shouldMove() bool {
	n := len(w.names.Pending().Moved)
	return n >= maxMoved || (n > 0 && time.Since(w.moved) >= moveEvery)
}

// stillBroken tells whether the database a question died of is still the one in use.
func (w *writer) stillBroken(ctx context.Context) bool {
	var one int
	return w.store.conn.QueryRowContext(ctx, "SELECT 1").Scan(&one) != nil
}

// recover opens the database anew after an error that DuckDB does not survive,
// and after one that leaves open whether the transaction was committed.
func (w *writer) recover(ctx context.Context, cause error) error {
	if !isFatal(cause) && !errors.Is(cause, errCommit) {
		return cause
	}
	w.d.log.Warnf("Opening the database anew, because of: %v", cause)
	w.d.current.Store(nil)
	w.store.close(w.d.conf.closeTimeout)
	if err := w.open(ctx); err != nil {
		w.d.log.Errorf("Opening the database anew: %v", err)
		return errors.Join(cause, fmt.Errorf("opening the database anew: %w", err))
	}
	return cause
}
