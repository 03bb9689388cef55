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
	at     progress
	parts  []int32
	steps  []step
	union  union
}

// slice is the keys that have events in it, by hash.
type slice struct {
	keys   []uint64
	sorted int // so many of them are in order
}

// union is the keys of a window of several slices, as they were computed last.
type union struct {
	w, total int64
	keys     []uint64
}

const (
	never      = math.MaxInt64
	sliceTimer = 1
	noTimer    = -1
)

func newSliced(e *Engine) *sliced {
	s := &sliced{Engine: e, slices: make(map[int64]*slice), done: e.clock, due: never, armed: noTimer}
	if s.at.read(e.table) {
		s.done = s.at.due - 1
	}
	return s
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
		if w+set.Size+set.Lateness+set.Delay > s.clock && s.said(w, hash) {
			s.corrections = append(s.corrections, correction{w, hash})
		}
	}
	return Taken, s.pieces.add(i, inputs, s.scale, set.Precision)
}

// said says that the key's window was said on time, if it had anything to say.
func (s *sliced) said(w int64, hash uint64) bool {
	due := w + s.settings.Size + s.settings.Delay
	return due <= s.done || s.at.active && due == s.at.due && (s.at.step > 0 || s.at.some && hash <= s.at.last)
}

func (s *sliced) correct(c correction) error {
	return s.emit(Corrected, c.hash, c.start, s.clock)
}

// keysOf is the keys with events in a window, sorted.
func (s *sliced) keysOf(w int64) []uint64 {
	first, _ := slices.BinarySearch(s.starts, w)
	last, _ := slices.BinarySearch(s.starts, w+s.settings.Size)
	if last-first == 1 {
		return s.slices[s.starts[first]].inOrder()
	}
	total := int64(0)
	for _, start := range s.starts[first:last] {
		total += int64(len(s.slices[start].keys))
	}
	if u := &s.union; u.w == w && u.total == total {
		return u.keys
	}
	all := make([]uint64, 0, total)
	for _, start := range s.starts[first:last] {
		all = append(all, s.slices[start].keys...)
	}
	slices.Sort(all)
	s.union = union{w, total, slices.Compact(all)}
	return s.union.keys
}

// inOrder sorts what was added since the last time into the rest.
func (one *slice) inOrder() []uint64 {
	if added := slices.Clone(one.keys[one.sorted:]); len(added) > 0 {
		slices.Sort(added)
		from, to := one.sorted-1, len(one.keys)-1
		for n := len(added) - 1; n >= 0; to-- {
			if from >= 0 && one.keys[from] > added[n] {
				one.keys[to] = one.keys[from]
				from--
				continue
			}
			one.keys[to] = added[n]
			n--
		}
		one.sorted = len(one.keys)
	}
	return one.keys
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

// write implements windows: slices have no more than their pieces.
func (*sliced) write() {}
