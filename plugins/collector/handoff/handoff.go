// Package handoff is where a server's requests meet the stream that takes them:
// a request offers an item and waits until the stream has acknowledged it; the
// stream takes what is waiting, many at a time, and never waits for more.
package handoff

import (
	"context"
	"errors"
	"sync"
)

// Why an offer came to nothing.
var (
	// ErrStopped says that nothing is taken any more: the item is stored nowhere.
	ErrStopped = errors.New("the server is shutting down")
	// ErrNotTaken says that the stream did not come for the item in time: it is stored nowhere.
	ErrNotTaken = errors.New("the stream is behind")
	// ErrNotAcknowledged says that the item was taken but nobody said in time that
	// it is safe: it may have been stored.
	ErrNotAcknowledged = errors.New("nobody said in time that it is safe")
)

// Desk is the place of the meeting.
type Desk[T any] struct {
	// waiting has no room of its own: whoever could send has been taken.
	waiting             chan *Offer[T]
	stopOnce, closeOnce sync.Once
	stopped, closed     chan struct{}
}

// Offer is an item on its way.
type Offer[T any] struct {
	Item T
	done chan error
}

// New returns an open desk.
func New[T any]() *Desk[T] {
	return &Desk[T]{waiting: make(chan *Offer[T]), stopped: make(chan struct{}), closed: make(chan struct{})}
}

// Stop refuses what has not been taken yet.
func (d *Desk[T]) Stop() { d.stopOnce.Do(func() { close(d.stopped) }) }

// Close answers what still waits to be acknowledged; nobody will any more.
func (d *Desk[T]) Close() {
	d.Stop()
	d.closeOnce.Do(func() { close(d.closed) })
}

// Stopped is closed once nothing is taken any more.
func (d *Desk[T]) Stopped() <-chan struct{} { return d.stopped }

// Offer hands over an item and waits until it has been acknowledged, as long as
// the context allows. An error of the stream is returned as it is.
func (d *Desk[T]) Offer(ctx context.Context, item T) error {
	offer := &Offer[T]{Item: item, done: make(chan error, 1)}
	select {
	case d.waiting <- offer:
	case <-d.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ErrNotTaken
	}
	select {
	case err := <-offer.done:
		return err
	case <-ctx.Done():
	case <-d.closed:
	}
	select {
	case err := <-offer.done: // both at once: what the stream says counts
		return err
	default:
		return ErrNotAcknowledged
	}
}

// Take waits for an offer and takes along what else is waiting while more allows
// it. The error is ErrStopped or the context's.
func (d *Desk[T]) Take(ctx context.Context, more func(taken []*Offer[T]) bool) ([]*Offer[T], error) {
	var taken []*Offer[T]
	select {
	case first := <-d.waiting:
		taken = append(taken, first)
	case <-d.stopped:
		return nil, ErrStopped
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for more(taken) {
		select {
		case next := <-d.waiting:
			taken = append(taken, next)
		default:
			return taken, nil
		}
	}
	return taken, nil
}

// Acknowledge tells whoever offered what became of it. Only the first time counts.
func (o *Offer[T]) Acknowledge(err error) {
	select {
	case o.done <- err:
	default:
	}
}
