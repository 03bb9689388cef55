// Package spool decides when an upload is answered that is safe on this disk
// but has another log behind it: when that log has it too, or when that takes
// too long. It paces what is handed out of a backlog. It reads no clock.
package spool

import (
	"slices"
	"sync"
	"time"
)

// Place is where an entry stands in the log.
type Place struct {
	Lane   int
	Number int64
}

// Spool is safe for concurrent use. Acks are called by whoever brings the news, outside of its lock.
type Spool struct {
	after time.Duration
	rate  int64

	mu      sync.Mutex
	behind  bool
	late    time.Time // When an upload last had waited long enough.
	closed  bool
	lanes   []lane
	oldest  []*held // In the order in which they came.
	spilled int64
	free    time.Time // When the next batch of a backlog may go.
}

type lane struct {
	done    int64 // The first number that the log behind does not have.
	waiting []waiting
}

// waiting is an entry whose upload waits, in the order of the numbers.
type waiting struct {
	number int64
	upload *held
}

// held is an upload whose answer waits. left counts its entries that are not done.
type held struct {
	ack   func() // nil once it was called.
	since time.Time
	left  int
}

// longestDebt bounds how long before now the rate counts from: after an idle time
// no more than this much of it may be handed out at once.
const longestDebt = time.Second

// New makes a spool that lets an answer wait for at most after. rate is how many
// bytes a second of a backlog are handed out; 0 is no limit.
func New(after time.Duration, rate int64, lanes int) *Spool {
	return &Spool{after: after, rate: rate, lanes: make([]lane, lanes)}
}

// Durable takes an upload that was synced and calls ack once: at once when the
// log behind is slow or away, else with Done or Round. It waits since then, here or
// where few are let in while the log behind is slow: so few that it does not look
// slow from here. Of one lane, numbers grow from call to call.
func (s *Spool) Durable(now, since time.Time, places []Place, ack func()) {
	s.mu.Lock()
	upload := &held{ack: ack, since: since}
	for _, p := range places {
		if p.Number >= s.lanes[p.Lane].done {
			upload.left++
		}
	}
	if upload.left > 0 && now.Sub(since) >= s.after {
		s.behind, s.late = true, now
	}
	if upload.left > 0 && !s.behind && !s.closed {
		for _, p := range places {
			if at := &s.lanes[p.Lane]; p.Number >= at.done {
				at.waiting = append(at.waiting, waiting{p.Number, upload})
			}
		}
		s.oldest = append(s.oldest, upload)
		ack = nil
	} else if upload.left > 0 {
		s.spilled++
	}
	s.mu.Unlock()
	if ack != nil {
		ack()
	}
}

// Done says that the log behind has the lane's entries below next.
func (s *Spool) Done(lane int, next int64) {
	s.mu.Lock()
	at := &s.lanes[lane]
	at.done = max(at.done, next)
	n := 0
	var acks []func()
	for ; n < len(at.waiting) && at.waiting[n].number < next; n++ {
		upload := at.waiting[n].upload
		if upload.left--; upload.left == 0 && upload.ack != nil {
			acks = append(acks, upload.ack)
			upload.ack = nil
		}
	}
	at.waiting = drop(at.waiting, n)
	s.mu.Unlock()
	call(acks)
}

// Round answers what has waited long enough, and with it everything: the log behind
// counts as slow for as long again, so that not each has to find out. oldest is how
// long the oldest entry that the log behind lacks has been there, 0 when it lacks
// none. It returns whether the log behind is slow or away.
func (s *Spool) Round(now time.Time, oldest time.Duration) (behind bool) {
	s.mu.Lock()
	if slices.ContainsFunc(s.oldest, func(upload *held) bool { return upload.ack != nil && now.Sub(upload.since) >= s.after }) {
		s.late = now
	}
	s.behind = oldest > s.after || now.Sub(s.late) < s.after
	s.oldest = slices.DeleteFunc(s.oldest, func(upload *held) bool { return upload.ack == nil })
	var acks []func()
	if s.behind {
		acks = s.release() // Nobody waits for a log that is away.
	}
	behind = s.behind
	s.mu.Unlock()
	call(acks)
	return behind
}

// Close answers what waits: it is safe on disk.
func (s *Spool) Close() {
	s.mu.Lock()
	s.closed = true
	acks := s.release()
	s.mu.Unlock()
	call(acks)
}

// release empties the list and returns the acks of those not yet answered.
func (s *Spool) release() (acks []func()) {
	for _, upload := range s.oldest {
		if upload.ack != nil {
			acks = append(acks, upload.ack)
			upload.ack = nil
			s.spilled++
		}
	}
	s.oldest = nil
	return acks
}

// Spilled counts the uploads that were answered before the log behind had them.
func (s *Spool) Spilled() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spilled
}

// Paused says whether the backlog's rate has been used up for now.
func (s *Spool) Paused(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rate > 0 && s.behind && now.Before(s.free)
}

// HandedOut counts bytes against the rate.
func (s *Spool) HandedOut(now time.Time, bytes int64) {
	if s.rate <= 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if earliest := now.Add(-longestDebt); s.free.Before(earliest) {
		s.free = earliest
	}
	s.free = s.free.Add(time.Duration(float64(bytes) / float64(s.rate) * float64(time.Second)))
}

func call(acks []func()) {
	for _, ack := range acks {
		ack()
	}
}

// drop cuts off the first n and lets go of what they point to.
func drop[T any](all []T, n int) []T {
	if n == len(all) {
		return nil
	}
	clear(all[:n])
	return all[n:]
}
