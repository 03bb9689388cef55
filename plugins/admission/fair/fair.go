// Package fair shares a capacity among tenants: as long as there is room
// everybody gets what he asks for, and when there is not, whoever holds least
// for his weight comes first. So one tenant that asks for everything waits for
// himself, and the others hardly at all.
package fair

import (
	"container/list"
	"context"
	"errors"
	"sync"
)

// ErrFull says that there was no room in time.
var ErrFull = errors.New("there was no room in time")

// Share is a semaphore with weights. It is safe for concurrent use.
type Share struct {
	// capacity is asked whenever room is given: it may change.
	capacity func() int64

	mu      sync.Mutex
	held    int64
	tenants map[string]*tenant
	waiting int
}

// tenant is what one tenant holds and waits for.
type tenant struct {
	name    string
	weight  float64
	held    int64
	waiters list.List // of *waiter, in the order they came
}

type waiter struct {
	n     int64
	ready chan struct{}
}

// New returns a share of a capacity that may change.
func New(capacity func() int64) *Share {
	return &Share{capacity: capacity, tenants: map[string]*tenant{}}
}

// Acquire takes n for a tenant of that weight (1 is usual), and waits for room
// as long as the context allows. More than the whole capacity is given alone.
func (s *Share) Acquire(ctx context.Context, name string, weight float64, n int64) error {
	s.mu.Lock()
	t := s.tenant(name, weight)
	if s.waiting == 0 && s.fits(n) {
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

// Waiting is how many wait for room, Held how much is taken.
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

// leave forgets a tenant that neither holds nor waits.
func (s *Share) leave(t *tenant) {
	if t.held == 0 && t.waiters.Len() == 0 {
		delete(s.tenants, t.name)
	}
}

func (s *Share) fits(n int64) bool { return s.held == 0 || s.held+n <= s.capacity() }

func (s *Share) give(t *tenant, n int64) {
	t.held += n
	s.held += n
}

// serve gives room to those who wait, whoever holds least first. The first in
// line is never overtaken by a smaller one: large ones would wait for ever.
func (s *Share) serve() {
	for s.waiting > 0 {
		next := s.next()
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

// next is the waiting tenant that holds least for its weight; by name among equals.
func (s *Share) next() (next *tenant) {
	for _, t := range s.tenants {
		if t.waiters.Len() == 0 {
			continue
		}
		if next == nil || less(t, next) {
			next = t
		}
	}
	return next
}

func less(a, b *tenant) bool {
	x, y := float64(a.held)/a.weight, float64(b.held)/b.weight
	return x < y || x == y && a.name < b.name
}
