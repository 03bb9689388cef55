// Package replay remembers deliveries for a while, so that one that comes again
// can be told from a new one.
package replay

import (
	"container/list"
	"sync"
	"time"
)

// Known is what is known of a delivery.
type Known uint8

// The cases.
const (
	// Unknown is a delivery nobody has seen. Whoever is told so says Stored or Abandon later.
	Unknown Known = iota
	// Pending is one that is being stored now.
	Pending
	// Repeated is one that was stored within the window.
	Repeated
)

// Window remembers at most a number of ids, each for a time. It is safe for
// concurrent use.
type Window struct {
	length time.Duration
	most   int

	mu      sync.Mutex
	pending map[string]bool
	stored  map[string]*list.Element
	ages    *list.List // of entry, oldest first
}

type entry struct {
	id string
	at time.Time
}

// New returns an empty window. With length or most 0 it remembers nothing.
func New(length time.Duration, most int) *Window {
	return &Window{length: length, most: most, pending: map[string]bool{}, stored: map[string]*list.Element{}, ages: list.New()}
}

// Begin looks a delivery up; an unknown one is pending from then on. Without an
// id every delivery is unknown.
func (w *Window) Begin(now time.Time, id string) Known {
	if id == "" || w.length <= 0 || w.most <= 0 {
		return Unknown
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forget(now)
	if _, known := w.stored[id]; known {
		return Repeated
	}
	if w.pending[id] {
		return Pending
	}
	w.pending[id] = true
	return Unknown
}

// Stored remembers that a pending delivery is safe.
func (w *Window) Stored(now time.Time, id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.pending[id] {
		return
	}
	delete(w.pending, id)
	w.stored[id] = w.ages.PushBack(entry{id: id, at: now})
	if len(w.stored) > w.most {
		w.remove(w.ages.Front())
	}
}

// Abandon forgets a pending delivery: it may come again.
func (w *Window) Abandon(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.pending, id)
}

func (w *Window) forget(now time.Time) {
	for oldest := w.ages.Front(); oldest != nil; oldest = w.ages.Front() {
		if e, _ := oldest.Value.(entry); now.Sub(e.at) < w.length {
			return
		}
		w.remove(oldest)
	}
}

func (w *Window) remove(at *list.Element) {
	e, _ := w.ages.Remove(at).(entry)
	delete(w.stored, e.id)
}
