package uploadlog

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"sort"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// recover finds the log's end. Only the newest group can be torn, because the
// next is written after its sync: a torn tail is cut off, since nobody was
// answered for it. Damage anywhere else is a refusal.
func (l *Log) recover() error {
	saved, err := l.readCheckpoint()
	if err != nil {
		return err
	}
	if err := l.openSegments(); err != nil {
		return err
	}
	last, err := l.lastSegment(saved)
	if err != nil {
		return err
	}
	l.next, l.time = last.first, last.time
	for i := range l.lanes {
		l.lanes[i].totals = last.before[i]
	}
	if err := l.recoverLast(last, saved); err != nil {
		return err
	}
	return l.restoreCursors(saved)
}

// openSegments opens every segment file and reads the heads. A file at the end
// without a head is a reserve that no entry reached, or one whose first group was torn.
func (l *Log) openSegments() error {
	names, err := l.disk.List(l.dir)
	if err != nil {
		return fmt.Errorf("listing the log folder: %w", err)
	}
	var found []*segment
	for _, name := range names {
		if strings.HasSuffix(name, ".part") && !l.options.ReadOnly {
			if err := l.disk.Remove(l.dir + "/" + name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("removing a file that was never finished: %w", err)
			}
		}
		sequence, ok := segmentSequence(name)
		if !ok {
			continue
		}
		s := &segment{name: l.segmentPath(sequence), sequence: sequence}
		if s.file, err = l.disk.Open(s.name); err != nil {
			return fmt.Errorf("opening a log segment: %w", err)
		}
		l.segments = append(l.segments, s)
		if s.capacity, err = s.file.Size(); err != nil {
			return fmt.Errorf("opening a log segment: %w", err)
		}
		found = append(found, s)
	}
	sort.Slice(found, func(i, j int) bool { return found[i].sequence < found[j].sequence })
	l.segments = found
	return nil
}

// lastSegment checks that the segments follow on each other and returns the
// newest one in use; it makes the first one of a new log.
func (l *Log) lastSegment(saved checkpoint) (*segment, error) {
	used := 0
	for i, s := range l.segments {
		ok, err := s.readHead(l.head.Salt, l.head.Lanes)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if i > 0 && s.sequence != l.segments[i-1].sequence+1 {
			return nil, fmt.Errorf("the log segment %s is missing: restore the folder from a copy", l.segmentPath(l.segments[i-1].sequence+1))
		}
		used++
	}
	if used < len(l.segments)-1 {
		return nil, l.segments[used].damaged(0, 0)
	}
	if used > 0 && saved.Next > 0 && l.segments[used-1].sequence < saved.Segment || used == 0 && saved.Next > 0 {
		return nil, fmt.Errorf("the log in %s ends before its checkpoint (entry %d): restore the folder from a copy", l.dir, saved.Next)
	}
	if used < len(l.segments) {
		if err := l.dropReserve(l.segments[used], used); err != nil {
			return nil, err
		}
	}
	if used == 0 {
		return l.firstSegment()
	}
	return l.segments[used-1], nil
}

// dropReserve removes a segment file without a head. Its sequence goes to the next that is made.
func (l *Log) dropReserve(s *segment, used int) error {
	_, dirty, err := s.laterGroup(l.head.Salt, 0, math.MaxInt64)
	if err != nil {
		return err
	}
	if dirty {
		if err := l.requireUnsynced(s, used); err != nil {
			return err
		}
	}
	l.segments = l.segments[:used]
	if err := s.file.Close(); err != nil || l.options.ReadOnly {
		return err
	}
	if err := l.disk.Remove(s.name); err != nil {
		return fmt.Errorf("removing a log segment that was never used: %w", err)
	}
	if err := l.disk.SyncDir(l.dir); err != nil {
		return fmt.Errorf("syncing the log folder: %w", err)
	}
	return nil
}

// requireUnsynced refuses when a file without a head holds more than its first group.
func (l *Log) requireUnsynced(s *segment, used int) error {
	var number int64
	if used > 0 {
		var err error
		before := l.segments[used-1]
		_, number, err = before.walk(l.head.Salt, segmentHead, before.first, math.MaxInt64, false, func(int64, frame, []byte) {})
		if err != nil {
			return err
		}
	}
	later, _, err := s.laterGroup(l.head.Salt, 0, number)
	if err == nil && later {
		err = s.damaged(0, number)
	}
	return err
}

// firstSegment is that of a log without entries.
func (l *Log) firstSegment() (*segment, error) {
	s := &segment{before: make([]totals, len(l.lanes)), headless: true}
	for i := range s.before {
		s.before[i].last = -1
	}
	if !l.options.ReadOnly {
		made, err := l.reserve(0)
		if err != nil {
			return nil, err
		}
		s.name, s.file, s.capacity = made.name, made.file, made.capacity
	}
	l.segments = []*segment{s}
	return s, nil
}

// recoverLast reads the last segment: heads up to the checkpoint, everything
// behind it with checksums, and cuts off a torn tail.
func (l *Log) recoverLast(s *segment, saved checkpoint) error {
	s.index = make([][]ref, len(l.lanes))
	s.end = segmentHead
	l.active = s
	if s.headless {
		return nil
	}
	if saved.Next > s.first && saved.Segment == s.sequence {
		at, number, err := s.walk(l.head.Salt, segmentHead, s.first, saved.Next, false, func(at int64, f frame, _ []byte) { l.recovered(s, at, f) })
		if err != nil {
			return err
		}
		if number != saved.Next || at != saved.Offset {
			return s.damaged(at, number)
		}
		s.end = at
	}
	at, number, err := s.walk(l.head.Salt, s.end, l.next, math.MaxInt64, true, func(at int64, f frame, whole []byte) {
		l.recovered(s, at, f)
		l.remember(whole, f)
	})
	if err != nil {
		return err
	}
	later, dirty, err := s.laterGroup(l.head.Salt, at, number)
	if err != nil {
		return err
	}
	if later || saved.Next > number {
		return s.damaged(at, number)
	}
	s.end = at
	if l.options.ReadOnly {
		return nil
	}
	if dirty || s.capacity < at {
		if err := s.cutTail(at); err != nil {
			return err
		}
	}
	// What a killed process wrote without syncing is given out from now on: make it safe first.
	if err := makeDurable(s.file); err != nil {
		return fmt.Errorf("syncing the recovered log: %w", err)
	}
	return nil
}

// recovered takes a frame of the last segment into the books.
func (l *Log) recovered(s *segment, at int64, f frame) {
	lane := &l.lanes[int(f.lane)%len(l.lanes)]
	lane.last = f.number
	lane.count++
	lane.bytes += f.size()
	l.next = f.number + 1
	l.time = f.time
	l.addRef(s, int(f.lane)%len(l.lanes), ref{number: f.number, offset: uint32(at), length: uint32(f.size())})
}

func (l *Log) remember(whole []byte, f frame) {
	var r Record
	if readMeta(whole[frameHead:frameHead+f.meta], &r) && r.Kind != testengine.KindDuplicate && r.Key.Upload != "" {
		r.Key.Upload = strings.Clone(r.Key.Upload)
		l.recent.add(r.Key, f.time)
	}
}

// cutTail makes everything from the place on zeros again, so that no old frame
// can ever follow on a new one.
func (s *segment) cutTail(at int64) error {
	err := s.file.Truncate(at)
	if err == nil {
		err = s.file.Allocate(s.capacity)
	}
	if err == nil {
		err = makeDurable(s.file)
	}
	if err != nil {
		return fmt.Errorf("cutting off a torn tail of %s: %w", s.name, err)
	}
	return nil
}
