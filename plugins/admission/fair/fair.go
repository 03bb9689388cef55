// Package fair shares a capacity among tenants: as long as there is room
// everybody gets what he asks for, and when there is not, whoever holds least
// for his weight comes first. So one tenant that asks for everything waits for
// himself, and the others hardly at all: a spare part is not even lent to him.
package fair

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// ErrFull says that there was no room in time.
var ErrFull = errors.New("there was no room in time")

// Options say what is shared.
type Options struct {
	// Capacity is asked whenever room is given: it may change.
	Capacity func() int64
	// Spare is what one tenant leaves free while there are others, so that they
	// need not wait until it is done; nil leaves nothing free.
	Spare func() int64
	// Now is the clock, asked only where there is a Spare: a tenant that held
	// something within the last second is still one of the others.
	Now func() time.Time
}

// stay is for how long a tenant that holds nothing is one of the others.
const stay = time.Second

// Share is a semaphore with weights. It is safe for concurrent use.
type Share struct {
	options Options

	mu      sync.Mutex
	held    int64
	tenants map[string]*tenant
	waiting int
	given   int64 // how often room was given
	swept   time.Time
}

// tenant is what one tenant holds and waits for.
type tenant struct {
	name    string
	weight  float64
	held    int64
	waiters list.List // of *waiter, in the order they came
	last    int64     // Share.given when it was given room last
	left    time.Time // since when it neither holds nor waits
}

type waiter struct {
	n     int64
	ready chan struct{}
}

// New returns a share of a capacity that may change.
func New(o Options) *Share {
	return &Share{options: o, tenants: map[string]*tenant{}}
}

// Acquire takes n for a tenant of that weight (1 is usual), and waits for room
// as long as the context allows. More than the whole capacity is given alone.
func (s *Share) Acquire(ctx context.Context, name string, weight float64, n int64) error {
	s.mu.Lock()
	t := s.tenant(name, weight)
	if s.waiting == 0 && s.fits(n) && s.mayHold(t, n) {
		s.give(t, n)
		s.mu.Unlock()
		return nil
	}
	w := &waiter{n: n, ready: make(chan struct{})}
	at := t.waiters.PushBack(w)
	s.waiting++
	s.serve()
	s.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-w.ready: // both at once: it was given
		return nil
	default:
	}
	t.waiters.Remove(at)
	s.waiting--
	s.leave(t)
	s.serve()
	return ErrFull
}

// Release gives back n that the tenant holds.
func (s *Share) Release(name string, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenants[name]
	if t == nil || t.held < n {
		panic("fair: more is given back than was taken")
	}
	t.held -= n
	s.held -= n
	s.leave(t)
	s.serve()
}

// Waiting is how many wait for room.
func (s *Share) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting
}

// Held is how much of the capacity is taken.
func (s *Share) Held() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

func (s *Share) tenant(name string, weight float64) *tenant {
	t := s.tenants[name]
	if t == nil {
		t = &tenant{name: name}
		s.tenants[name] = t
	}
	if t.weight = weight; weight <= 0 {
		t.weight = 1
	}
	return t
}

// leave forgets a tenant that neither holds nor waits, at once or after a while.
func (s *Share) leave(t *tenant) {
	if t.held > 0 || t.waiters.Len() > 0 {
		return
	}
	if s.options.Spare == nil {
		delete(s.tenants, t.name)
		return
	}
	t.left = s.options.Now()
	if t.left.Sub(s.swept) < stay {
		return
	}
	s.swept = t.left
	for name, other := range s.tenants {
		if other.gone(t.left) {
			delete(s.tenants, name)
		}
	}
}

// gone reports whether the tenant has been away for long.
func (t *tenant) gone(now time.Time) bool {
	return t.held == 0 && t.waiters.Len() == 0 && now.Sub(t.left) >= stay
}

func (s *Share) fits(n int64) bool { return s.held == 0 || s.held+n <= s.options.Capacity() }

// mayHold reports whether the tenant leaves enough to the others.
func (s *Share) mayHold(t *tenant, n int64) bool {
	if t.held == 0 || s.options.Spare == nil || t.held+n <= s.options.Capacity()-s.options.Spare() {
		return true
	}
	now := s.options.Now()
	for _, other := range s.tenants {
		if other != t && !other.gone(now) {
			return false
		}
	}
	return true
}

func (s *Share) give(t *tenant, n int64) {
	t.held += n
	s.held += n
	s.given++
	t.last = s.given
}

// serve gives room to those who wait, whoever holds least first. The first in
// line is never overtaken by a smaller one: large ones would wait for ever.
func (s *Share) serve() {
	for s.waiting > 0 {
		next := s.next()
		if next == nil {
			return
		}
		at := next.waiters.Front()
		w, _ := at.Value.(*waiter)
		if !s.fits(w.n) {
			return
		}
		next.waiters.Remove(at)
		s.waiting--
		s.give(next, w.n)
		close(w.ready)
	}
}

// next is the waiting tenant that holds least for its weight, of those who leave
// enough to the others; among equals whoever has waited longest since his last turn.
func (s *Share) next() (next *tenant) {
	for _, t := range s.tenants {
		at := t.waiters.Front()
		if at == nil {
			continue
		}
		if w, _ := at.Value.(*waiter); (next == nil || less(t, next)) && s.mayHold(t, w.n) {
			next = t
		}
	}
	return next
}

func less(a, b *tenant) bool {
	x, y := float64(a.held)/a.weight, float64(b.held)/b.weight
	return x < y || x == y && (a.last < b.last || a.last == b.last && a.name < b.name)
}
