package panes

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// sessions are windows that last while events keep coming: an event belongs to a
// session if it is less than the gap away from one of its events, and joins two
// sessions if it is near both. A session's window is [first event, last + gap).
//
// A key has a list of its sessions, and one timer, at the earliest time at which
// something happens to one of them. An event that prolongs a session leaves the
// timer alone: it then fires too early, and is set anew.
type sessions struct {
	*Engine
	cache map[uint64]*spans
	dirty []uint64
	value []byte // scratch
}

// spans are the sessions of a key, in order of start.
type spans struct {
	list  []span
	armed int64 // due time of the key's timer, 0 when there is none
	dirty bool
}

type span struct {
	start, last int64
	// ended says that the session was said on time, or corrected.
	ended bool
}

func newSessions(e *Engine) *sessions { return &sessions{Engine: e, cache: make(map[uint64]*spans)} }

func (s *sessions) end(one span) int64 { return one.last + s.settings.Gap }

func (s *sessions) add(hash uint64, key []byte, at int64, inputs []Input) (Outcome, error) {
	set := s.settings
	of, err := s.spansOf(hash)
	if err != nil {
		return 0, err
	}
	from, to := of.near(at, set.Gap)
	joined := span{start: at, last: at}
	for _, one := range of.list[from:to] {
		joined.start, joined.last = min(joined.start, one.start), max(joined.last, one.last)
	}
	switch {
	case s.end(joined)+set.Lateness+set.Delay <= s.clock:
		return Late, nil
	case from == to && len(of.list) >= set.MaxSessions:
		return Crowded, nil
	}
	i, outcome, err := s.join(hash, key, joined.start, of.list[from:to])
	if err != nil || outcome != Taken {
		return outcome, err
	}
	of.list = slices.Replace(of.list, from, to, joined)
	s.touch(hash, of)
	if s.end(joined)+set.Delay <= s.clock {
		s.corrections = append(s.corrections, correction{joined.start, hash})
	} else {
		s.arm(hash, of, s.nextOf(joined, s.clock-set.Delay), false)
	}
	return Taken, s.pieces.add(i, inputs, s.scale, set.Precision)
}

// near is the range of sessions that an event of that time belongs to.
func (of *spans) near(at, gap int64) (from, to int) {
	for from < len(of.list) && of.list[from].last+gap <= at {
		from++
	}
	for to = from; to < len(of.list) && of.list[to].start-gap < at; {
		to++
	}
	return from, to
}

// join makes one piece of the sessions' pieces, which begins at start.
func (s *sessions) join(hash uint64, key []byte, start int64, near []span) (i int32, outcome Outcome, err error) {
	for _, one := range near {
		i, ok, err := s.pieces.find(pieceID(hash, one.start))
		if err != nil {
			return 0, 0, err
		}
		if ok && string(s.pieces.key(i)) != string(key) {
			return 0, Collision, nil
		}
	}
	// The place of those that are joined is free for the new one.
	s.count -= len(near)
	i, created, outcome, err := s.pieceAt(hash, start, key)
	s.count += len(near)
	if err != nil || outcome != Taken {
		return 0, outcome, err
	}
	if len(near) == 0 || len(near) == 1 && !created {
		return i, Taken, nil
	}
	if err := s.pieces.load(i); err != nil {
		return 0, 0, err
	}
	for _, one := range near {
		if one.start == start {
			continue
		}
		if err := s.merge(hash, i, one, start); err != nil {
			return 0, 0, err
		}
	}
	return i, Taken, nil
}

// merge takes a session's contents into piece i. If something was said of it,
// its window is withdrawn: a pane without events that names the other one.
func (s *sessions) merge(hash uint64, i int32, one span, into int64) error {
	id := pieceID(hash, one.start)
	other, ok, err := s.pieces.find(id)
	if err != nil || !ok {
		return err
	}
	if err := s.pieces.load(other); err != nil {
		return err
	}
	if err := s.pieces.merge(i, other, s.settings.Precision); err != nil {
		return err
	}
	said := windowID(hash, one.start)
	if cell, ok := s.table.Cell(said); ok {
		s.pieces.layout.empty(s.merged.words)
		clear(s.merged.quantiles)
		clear(s.merged.distincts)
		p := Pane{Kind: Corrected, Version: versionOf(cell) + 1, Start: one.start, End: s.end(one), Due: s.clock}
		s.panes = append(s.panes, s.writer.pane(p, s.Watermark(), s.pieces.key(i), s.merged, into))
		s.table.Delete(said)
	}
	s.drop(id)
	return nil
}

func (s *sessions) correct(c correction) error {
	of, err := s.spansOf(c.hash)
	if err != nil {
		return err
	}
	for n := range of.list {
		if one := &of.list[n]; one.start == c.start {
			one.ended = true
			s.touch(c.hash, of)
			s.arm(c.hash, of, s.nextOf(*one, s.clock-s.settings.Delay), false)
			return s.emit(Corrected, c.hash, *one, s.clock)
		}
	}
	return nil
}

// advance fires the timers of keys.
func (s *sessions) advance() error {
	for s.budget > 0 {
		hash, due, ok := s.table.Due(s.clock)
		if !ok {
			return nil
		}
		if err := s.pieces.trim(); err != nil {
			return err
		}
		of, err := s.spansOf(hash)
		if err != nil {
			return err
		}
		s.budget -= paneCost
		if err := s.act(hash, of, due); err != nil {
			return err
		}
	}
	return nil
}

// act does what is due to a key's sessions at that time, and sets its timer anew.
func (s *sessions) act(hash uint64, of *spans, due int64) error {
	at, set := due-s.settings.Delay, s.settings
	kept, next := of.list[:0], int64(never)
	for _, one := range of.list {
		var err error
		switch {
		case one.ended:
		case s.end(one) <= at:
			one.ended = true
			err = s.emit(OnTime, hash, one, due)
		case set.Early > 0 && at%set.Early == 0 && one.start < at:
			err = s.emit(Early, hash, one, due)
		}
		if err != nil {
			return err
		}
		if one.ended && s.end(one)+set.Lateness <= at {
			s.table.Delete(windowID(hash, one.start))
			s.drop(pieceID(hash, one.start))
			continue
		}
		kept = append(kept, one)
		next = min(next, s.nextOf(one, at))
	}
	of.list = kept
	s.touch(hash, of)
	if len(kept) == 0 {
		s.table.CancelTimer(hash)
		of.armed = 0
		return nil
	}
	s.arm(hash, of, next, true)
	return nil
}

// nextOf is when something happens to a session after that watermark.
func (s *sessions) nextOf(one span, after int64) int64 {
	set := s.settings
	if one.ended {
		return s.end(one) + set.Lateness + set.Delay
	}
	due := s.end(one)
	if set.Early > 0 {
		due = min(due, nextMultiple(max(after, one.start), set.Early))
	}
	return due + set.Delay
}

// arm sets the key's timer, unless it fires before that anyway.
func (s *sessions) arm(hash uint64, of *spans, due int64, anew bool) {
	if anew || of.armed == 0 || due < of.armed {
		of.armed = due
		s.table.SetTimer(hash, due)
	}
}

func (s *sessions) emit(kind PaneKind, hash uint64, one span, due int64) error {
	i, ok, err := s.pieces.find(pieceID(hash, one.start))
	if err != nil || !ok {
		return err
	}
	if err := s.pieces.load(i); err != nil {
		return err
	}
	s.say(kind, hash, s.pieces.key(i), one.start, s.end(one), due, s.pieces.contents(i))
	return nil
}

// spansID is the key of a key's list of sessions.
func spansID(hash uint64) uint64 { return testengine.HashUint(2, hash) }

func (s *sessions) spansOf(hash uint64) (*spans, error) {
	if of := s.cache[hash]; of != nil {
		return of, nil
	}
	of := new(spans)
	if value := s.table.Value(spansID(hash)); value != nil {
		if err := of.decode(value); err != nil {
			return nil, fmt.Errorf("reading sessions of %x: %w", hash, err)
		}
	}
	s.cache[hash] = of
	return of, nil
}

func (s *sessions) touch(hash uint64, of *spans) {
	if !of.dirty {
		of.dirty = true
		s.dirty = append(s.dirty, hash)
	}
}

func (s *sessions) write() {
	for _, hash := range s.dirty {
		of := s.cache[hash]
		of.dirty = false
		if len(of.list) == 0 {
			s.table.Delete(spansID(hash))
			delete(s.cache, hash)
			continue
		}
		s.value = of.encode(s.value[:0])
		s.table.SetValue(spansID(hash), s.value)
	}
	s.dirty = s.dirty[:0]
	if len(s.cache) > s.settings.Hot {
		clear(s.cache)
	}
}

// restored implements windows: sessions are looked up by key.
func (*sessions) restored(uint64, []byte) error { return nil }

func (of *spans) encode(b []byte) []byte {
	b = append(b, valueSession)
	b = binary.AppendUvarint(b, uint64(of.armed))
	for _, one := range of.list {
		ended := uint64(0)
		if one.ended {
			ended = 1
		}
		b = binary.AppendUvarint(b, uint64(one.start))
		b = binary.AppendUvarint(b, uint64(one.last-one.start)<<1|ended)
	}
	return b
}

func (of *spans) decode(b []byte) error {
	if len(b) == 0 || b[0] != valueSession {
		return errValue
	}
	b = b[1:]
	numbers := make([]uint64, 0, 3)
	for len(b) > 0 {
		number, used := binary.Uvarint(b)
		if used <= 0 || number > math.MaxInt64 {
			return errValue
		}
		numbers, b = append(numbers, number), b[used:]
	}
	if len(numbers)%2 == 0 {
		return errValue
	}
	of.armed = int64(numbers[0])
	for n := 1; n < len(numbers); n += 2 {
		start, rest := int64(numbers[n]), numbers[n+1]
		of.list = append(of.list, span{start: start, last: start + int64(rest>>1), ended: rest&1 == 1})
	}
	return nil
}
