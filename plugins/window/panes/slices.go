package panes

import (
	"math"
	"slices"
)

// sliced are tumbling and sliding windows: slices as long as the slide, aligned
// to 1970-01-01 UTC. A window [w, w+size) is the sum of its slices.
//
// Everything that happens to windows has a due time, which follows from the
// slices that exist: at the end of a window plus the delay it is said on time, at
// every full early interval inside it is said early, and a slice is forgotten
// when the last window it belongs to takes no more events. Between messages all
// of this is done up to the clock.
type sliced struct {
	*Engine
	slices map[int64]*slice
	starts []int64 // of slices, sorted
	done   int64   // due time up to which everything is done
	due    int64   // of the next action, never when there is none
	armed  int64   // what the table's timer says
	parts  []int32
}

// slice is the keys that have events in it, by hash.
type slice struct {
	keys   []uint64
	sorted bool
}

const (
	never      = math.MaxInt64
	sliceTimer = 1
	noTimer    = -1
)

func newSliced(e *Engine) *sliced {
	return &sliced{Engine: e, slices: make(map[int64]*slice), done: e.clock, due: never, armed: noTimer}
}

func (s *sliced) restored(id uint64, value []byte) error {
	if value[0] != valuePiece {
		return nil
	}
	start, _, err := startOf(value)
	if err != nil {
		return err
	}
	s.listed(start, id^pieceID(0, start))
	return nil
}

// listed notes that a key has events in a slice.
func (s *sliced) listed(start int64, hash uint64) {
	one := s.slices[start]
	if one == nil {
		one = new(slice)
		s.slices[start] = one
		at, _ := slices.BinarySearch(s.starts, start)
		s.starts = slices.Insert(s.starts, at, start)
		s.due = min(s.due, s.nextOf(start))
	}
	one.keys = append(one.keys, hash)
	one.sorted = false
}

func (s *sliced) add(hash uint64, key []byte, at int64, inputs []Input) (Outcome, error) {
	set := s.settings
	start := at - at%set.Slide
	if start+set.Size+set.Lateness+set.Delay <= s.clock {
		return Late, nil
	}
	i, created, outcome, err := s.pieceAt(hash, start, key)
	if err != nil || outcome != Taken {
		return outcome, err
	}
	if created {
		s.listed(start, hash)
	}
	// Windows of the slice that were said on time and may still be corrected.
	for w := start + set.Slide - set.Size; w <= start && w+set.Size+set.Delay <= s.clock; w += set.Slide {
		if w+set.Size+set.Lateness+set.Delay > s.clock {
			s.corrections = append(s.corrections, correction{w, hash})
		}
	}
	return Taken, s.pieces.add(i, inputs, s.scale, set.Precision)
}

func (s *sliced) correct(c correction) error {
	return s.emit(Corrected, c.hash, c.start, s.clock)
}

// advance does what is due, in order of due time.
func (s *sliced) advance() error {
	for s.due <= s.clock {
		if err := s.act(s.due); err != nil {
			return err
		}
		s.done, s.due = s.due, never
		for _, start := range s.starts {
			s.due = min(s.due, s.nextOf(start))
		}
	}
	s.done = s.clock
	switch {
	case s.due == s.armed || s.due == never && s.armed == noTimer:
	case s.due == never:
		s.table.CancelTimer(sliceTimer)
		s.armed = noTimer
	default:
		s.table.SetTimer(sliceTimer, s.due)
		s.armed = s.due
	}
	return nil
}

// nextOf is the first due time after done at which something happens to a slice.
func (s *sliced) nextOf(start int64) int64 {
	set := s.settings
	after := s.done - set.Delay // the watermark of what is done
	last := start + set.Size    // the end of the slice's last window
	due := last + set.Lateness
	if end := max(start+set.Slide, nextMultiple(after, set.Slide)); end <= last {
		due = min(due, end)
	}
	if end := max(start+set.Slide, nextMultiple(after-set.Lateness, set.Slide)); s.remembers() && end <= last {
		due = min(due, end+set.Lateness)
	}
	if set.Early > 0 {
		if early := nextMultiple(max(after, start), set.Early); early < last {
			due = min(due, early)
		}
	}
	return due + set.Delay
}

// remembers says that windows have cells with what was said of them.
func (s *sliced) remembers() bool { return s.settings.Early > 0 || s.settings.Lateness > 0 }

// nextMultiple is the least multiple of step that is greater than after.
func nextMultiple(after, step int64) int64 {
	if after < 0 {
		return 0
	}
	return after - after%step + step
}

// act does what is due at a time: windows that end, early panes, slices to forget.
func (s *sliced) act(due int64) error {
	set := s.settings
	at := due - set.Delay
	if at%set.Slide == 0 {
		if err := s.window(OnTime, at-set.Size, due); err != nil {
			return err
		}
	}
	if set.Early > 0 && at%set.Early == 0 {
		first := at - at%set.Slide
		for w := first + set.Slide - set.Size; w <= first; w += set.Slide {
			if w < at && at < w+set.Size {
				if err := s.window(Early, w, due); err != nil {
					return err
				}
			}
		}
	}
	if w := at - set.Size - set.Lateness; w%set.Slide == 0 {
		s.forget(w)
	}
	return nil
}

// window says what a window says, for every key that has events in it.
func (s *sliced) window(kind PaneKind, w, due int64) error {
	for _, hash := range s.keysOf(w) {
		if err := s.pieces.trim(); err != nil {
			return err
		}
		if err := s.emit(kind, hash, w, due); err != nil {
			return err
		}
	}
	return nil
}

// keysOf is the keys with events in a window, sorted.
func (s *sliced) keysOf(w int64) []uint64 {
	first, _ := slices.BinarySearch(s.starts, w)
	last, _ := slices.BinarySearch(s.starts, w+s.settings.Size)
	if last-first == 1 {
		one := s.slices[s.starts[first]]
		if !one.sorted {
			slices.Sort(one.keys)
			one.sorted = true
		}
		return one.keys
	}
	var all []uint64
	for _, start := range s.starts[first:last] {
		all = append(all, s.slices[start].keys...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// emit says what a window of a key says.
func (s *sliced) emit(kind PaneKind, hash uint64, w, due int64) error {
	s.parts = s.parts[:0]
	first, _ := slices.BinarySearch(s.starts, w)
	for _, start := range s.starts[first:] {
		if start >= w+s.settings.Size {
			break
		}
		i, ok, err := s.pieces.find(pieceID(hash, start))
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := s.pieces.load(i); err != nil {
			return err
		}
		s.parts = append(s.parts, i)
	}
	if len(s.parts) == 0 {
		return nil
	}
	c := s.pieces.contents(s.parts[0])
	if len(s.parts) > 1 {
		var err error
		if c, err = s.sum(s.parts); err != nil {
			return err
		}
	}
	s.say(kind, hash, s.pieces.key(s.parts[0]), w, w+s.settings.Size, due, c)
	return nil
}

// forget drops what was said of a window that takes no more events, and the
// slice that begins with it.
func (s *sliced) forget(w int64) {
	if s.remembers() {
		for _, hash := range s.keysOf(w) {
			s.table.Delete(windowID(hash, w))
		}
	}
	one := s.slices[w]
	if one == nil {
		return
	}
	for _, hash := range one.keys {
		s.drop(pieceID(hash, w))
	}
	delete(s.slices, w)
	at, _ := slices.BinarySearch(s.starts, w)
	s.starts = slices.Delete(s.starts, at, at+1)
}

// write implements windows: slices have no more than their pieces.
func (*sliced) write() {}
