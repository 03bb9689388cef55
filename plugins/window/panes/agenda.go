package panes

import (
	"encoding/binary"
	"slices"
)

// A step is one of the things that happen at a due time: a pane of each key of
// a window, or, without a kind, the end of what is known of it.
type step struct {
	kind PaneKind
	w    int64
}

// progress is how far the steps of a due time have come. A record makes at most
// MaxPanes panes, so that the end of a window of millions of keys does not fill
// the memory: the next record goes on where it stopped, and so does a restart.
type progress struct {
	active bool
	due    int64
	step   int
	some   bool   // whether anything of the step was done
	last   uint64 // the key up to which it was done
	stored bool
}

const (
	progressKey = 0x70726f6772000001
	// What one key costs of a record's budget.
	paneCost   = 10
	forgetCost = 1
)

func (p *progress) read(table Table) (active bool) {
	b := table.Value(progressKey)
	if b == nil {
		return false
	}
	var numbers [4]uint64
	for i := range numbers {
		number, used := binary.Uvarint(b)
		if used <= 0 {
			return false
		}
		numbers[i], b = number, b[used:]
	}
	*p = progress{active: true, stored: true, due: int64(numbers[0]), step: int(numbers[1]), some: numbers[2] == 1, last: numbers[3]}
	return true
}

func (p *progress) write(table Table) {
	if !p.active {
		if p.stored {
			table.Delete(progressKey)
			p.stored = false
		}
		return
	}
	some := uint64(0)
	if p.some {
		some = 1
	}
	b := binary.AppendUvarint(nil, uint64(p.due))
	b = binary.AppendUvarint(b, uint64(p.step))
	b = binary.AppendUvarint(b, some)
	table.SetValue(progressKey, binary.AppendUvarint(b, p.last))
	p.stored = true
}

// advance does what is due, in order of due time, as far as the budget goes.
func (s *sliced) advance() error {
	for s.due <= s.clock {
		finished, err := s.act(s.due)
		if err != nil {
			return err
		}
		if !finished {
			s.at.write(s.table)
			s.arm()
			return nil
		}
		s.done, s.due = s.due, never
		for _, start := range s.starts {
			s.due = min(s.due, s.nextOf(start))
		}
	}
	s.done = s.clock
	s.at.write(s.table)
	s.arm()
	return nil
}

func (s *sliced) arm() {
	switch {
	case s.due == s.armed || s.due == never && s.armed == noTimer:
	case s.due == never:
		s.table.CancelTimer(sliceTimer)
		s.armed = noTimer
	default:
		s.table.SetTimer(sliceTimer, s.due)
		s.armed = s.due
	}
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

// stepsAt lists what happens at a due time: a window ends, open ones are said
// early, one takes no more events.
func (s *sliced) stepsAt(due int64) []step {
	set := s.settings
	at := due - set.Delay
	all := s.steps[:0]
	if at%set.Slide == 0 {
		all = append(all, step{OnTime, at - set.Size})
	}
	if set.Early > 0 && at%set.Early == 0 {
		first := at - at%set.Slide
		for w := first + set.Slide - set.Size; w <= first; w += set.Slide {
			if w < at && at < w+set.Size {
				all = append(all, step{Early, w})
			}
		}
	}
	if w := at - set.Size - set.Lateness; w%set.Slide == 0 {
		all = append(all, step{"", w})
	}
	s.steps = all
	return all
}

// act does the steps of a due time; finished is false when the budget has ended before.
func (s *sliced) act(due int64) (finished bool, err error) {
	if !s.at.active || s.at.due != due {
		s.at = progress{due: due, stored: s.at.stored}
	}
	steps := s.stepsAt(due)
	for s.at.step < len(steps) {
		if finished, err := s.walk(steps[s.at.step]); !finished || err != nil {
			s.at.active = true
			return false, err
		}
		s.at.step, s.at.some = s.at.step+1, false
	}
	s.at.active = false
	return true, nil
}

// walk does a step for every key of its window that it was not done for yet.
func (s *sliced) walk(one step) (finished bool, err error) {
	keys := s.keysOf(one.w)
	from := 0
	if s.at.some {
		at, found := slices.BinarySearch(keys, s.at.last)
		if from = at; found {
			from++
		}
	}
	for _, hash := range keys[from:] {
		if s.budget <= 0 {
			return false, nil
		}
		if err := s.pieces.trim(); err != nil {
			return false, err
		}
		if one.kind == "" {
			s.budget -= forgetCost
			s.forget(hash, one.w)
		} else {
			s.budget -= paneCost
			if err := s.emit(one.kind, hash, one.w, s.at.due); err != nil {
				return false, err
			}
		}
		s.at.last, s.at.some = hash, true
	}
	if one.kind == "" && s.slices[one.w] != nil {
		delete(s.slices, one.w)
		at, _ := slices.BinarySearch(s.starts, one.w)
		s.starts = slices.Delete(s.starts, at, at+1)
	}
	return true, nil
}

// forget drops what was said of a key's window that takes no more events, and the
// slice that begins with it.
func (s *sliced) forget(hash uint64, w int64) {
	if s.remembers() {
		s.table.Delete(windowID(hash, w))
	}
	if id := pieceID(hash, w); s.pieces.has(id) {
		s.drop(id)
	}
}
