// Package handoff is where a server's requests meet the stream that takes them:
// a request offers an item and waits until the stream has acknowledged it; the
// stream takes what is waiting, many at a time, and never waits for more. What
// it takes together is one owner's, and owners take turns: nobody waits for all
// that another has sent.
package handoff

import (
	"context"
	"errors"
	"slices"
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

// Desk is the place of the meeting. It is safe for concurrent use.
type Desk[T any] struct {
	mu    sync.Mutex
	lines map[string]*line[T]
	turns []*line[T] // Lines with offers, whose turn comes next first.
	ended bool

	offered         chan struct{}
	stopped, closed chan struct{}
	closeOnce       sync.Once
}

// line is what one owner has offered, in the order in which it came.
type line[T any] struct {
	owner  string
	offers []*Offer[T]
}

// Offer is an item on its way.
type Offer[T any] struct {
	Item T
	done chan error
}

// New returns an open desk.
func New[T any]() *Desk[T] {
	return &Desk[T]{
		lines: map[string]*line[T]{}, offered: make(chan struct{}, 1),
		stopped: make(chan struct{}), closed: make(chan struct{}),
	}
}

// Stop refuses what has not been taken yet.
func (d *Desk[T]) Stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return
	}
	d.ended = true
	for _, l := range d.turns {
		for _, offer := range l.offers {
			offer.Acknowledge(ErrStopped)
		}
	}
	d.turns, d.lines = nil, map[string]*line[T]{}
	close(d.stopped)
}

// Close answers what still waits to be acknowledged; nobody will any more.
func (d *Desk[T]) Close() {
	d.Stop()
	d.closeOnce.Do(func() { close(d.closed) })
}

// Stopped is closed once nothing is taken any more.
func (d *Desk[T]) Stopped() <-chan struct{} { return d.stopped }

// Offer hands over an item of an owner and waits until it has been acknowledged,
// as long as the context allows. An error of the stream is returned as it is.
func (d *Desk[T]) Offer(ctx context.Context, owner string, item T) error {
	offer := &Offer[T]{Item: item, done: make(chan error, 1)}
	if !d.wait(owner, offer) {
		return ErrStopped
	}
	select {
	case err := <-offer.done:
		return err
	case <-ctx.Done():
		if d.withdraw(owner, offer) {
			return ErrNotTaken
		}
	case <-d.closed:
	}
	select {
	case err := <-offer.done: // both at once: what the stream says counts
		return err
	default:
		return ErrNotAcknowledged
	}
}

// wait puts an offer into its owner's line; false means that nothing is taken any more.
func (d *Desk[T]) wait(owner string, offer *Offer[T]) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return false
	}
	l := d.lines[owner]
	if l == nil {
		l = &line[T]{owner: owner}
		d.lines[owner] = l
		d.turns = append(d.turns, l)
	}
	l.offers = append(l.offers, offer)
	d.wake()
	return true
}

// withdraw takes back an offer that has not been taken.
func (d *Desk[T]) withdraw(owner string, offer *Offer[T]) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lines[owner]
	if l == nil {
		return false
	}
	at := slices.Index(l.offers, offer)
	if at < 0 {
		return false
	}
	if l.offers = slices.Delete(l.offers, at, at+1); len(l.offers) == 0 {
		delete(d.lines, owner)
		d.turns = slices.DeleteFunc(d.turns, func(other *line[T]) bool { return other == l })
	}
	return true
}

func (d *Desk[T]) wake() {
	select {
	case d.offered <- struct{}{}:
	default:
	}
}

// Take waits for an offer and takes along what else its owner has offered while
// more allows it. The error is ErrStopped or the context's.
func (d *Desk[T]) Take(ctx context.Context, more func(taken []*Offer[T]) bool) ([]*Offer[T], error) {
	for {
		if taken := d.take(more); len(taken) > 0 {
			return taken, nil
		}
		select {
		case <-d.offered:
		case <-d.stopped:
			return nil, ErrStopped
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (d *Desk[T]) take(more func(taken []*Offer[T]) bool) []*Offer[T] {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.turns) == 0 {
		return nil
	}
	l := d.turns[0]
	n := 1
	for n < len(l.offers) && more(l.offers[:n]) {
		n++
	}
	taken := slices.Clone(l.offers[:n])
	clear(l.offers[:n])
	l.offers = l.offers[n:]
	d.turns = append(d.turns[1:], l)
	if len(l.offers) == 0 {
		delete(d.lines, l.owner)
		d.turns = d.turns[:len(d.turns)-1]
	}
	if len(d.turns) > 0 {
		d.wake()
	}
	return taken
}

// Acknowledge tells whoever offered what became of it. Only the first time counts.
func (o *Offer[T]) Acknowledge(err error) {
	select {
	case o.done <- err:
	default:
	}
}
