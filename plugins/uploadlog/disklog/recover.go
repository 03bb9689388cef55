package disklog

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"sort"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
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
	last, reserve, err := l.lastSegment(saved)
	if err != nil {
		return err
	}
	l.next, l.time = last.first, last.time
	for i := range l.lanes {
		l.lanes[i].totals = last.before[i]
	}
	if err := l.recoverLast(last, reserve, saved); err != nil {
		if reserve != nil {
			err = errors.Join(err, reserve.file.Close())
		}
		return err
	}
	if err := l.dropReserve(reserve); err != nil {
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
		if strings.HasSuffix(name, disk.TemporarySuffix) && !l.options.ReadOnly {
			if err := l.disk.Remove(l.dir + "/" + name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("removing a file that was never finished: %w", err)
			}
		}
		if strings.HasPrefix(name, recycledPrefix) && !l.options.ReadOnly {
			if err := l.findRecycled(path.Join(l.dir, name)); err != nil {
				return err
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

// findRecycled takes a file to write again into the books, or removes one too many.
func (l *Log) findRecycled(name string) error {
	file, err := l.disk.Open(name)
	if err != nil {
		return fmt.Errorf("opening a file of the log: %w", err)
	}
	size, err := file.Size()
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("opening a file of the log: %w", err)
	}
	if size == l.options.SegmentBytes && len(l.recycled) < recycledSegments {
		l.recycled = append(l.recycled, name)
		return nil
	}
	if err := l.disk.Remove(name); err != nil {
		return fmt.Errorf("removing a file of the log: %w", err)
	}
	return nil
}

// lastSegment checks that the segments follow on each other and returns the
// newest one in use, and the file behind it that has no head, if there is one;
// it makes the first one of a new log.
func (l *Log) lastSegment(saved checkpoint) (last, reserve *segment, err error) {
	used := 0
	for i, s := range l.segments {
		ok, err := s.readHead(l.head.Salt, l.head.Lanes)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			break
		}
		if i > 0 && s.sequence != l.segments[i-1].sequence+1 {
			return nil, nil, fmt.Errorf("the log segment %s is missing: restore the folder from a copy", l.segmentPath(l.segments[i-1].sequence+1))
		}
		used++
	}
	if used < len(l.segments)-1 {
		return nil, nil, l.segments[used].damaged(0, 0)
	}
	if used > 0 && saved.Next > 0 && l.segments[used-1].sequence < saved.Segment || used == 0 && saved.Next > 0 {
		return nil, nil, fmt.Errorf("the log in %s ends before its checkpoint (entry %d): restore the folder from a copy", l.dir, saved.Next)
	}
	if used < len(l.segments) {
		reserve = l.segments[used]
		l.segments = l.segments[:used]
	}
	if used > 0 {
		return l.segments[used-1], reserve, nil
	}
	if err := l.requireUnsynced(reserve, 0); err != nil {
		return nil, nil, errors.Join(err, reserve.file.Close())
	}
	if err := l.dropReserve(reserve); err != nil {
		return nil, nil, err
	}
	last, err = l.firstSegment()
	return last, nil, err
}

// dropReserve removes a segment file without a head. Its sequence goes to the
// next that is made. It is not used again: it may hold a group that was torn, whose numbers are given anew.
func (l *Log) dropReserve(s *segment) error {
	if s == nil {
		return nil
	}
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

// requireUnsynced refuses when the file without a head holds a group later than
// the one that begins with number, the end of what is in order: its first group
// was begun when everything before it was synced.
func (l *Log) requireUnsynced(reserve *segment, number int64) error {
	if reserve == nil {
		return nil
	}
	later, _, err := reserve.laterGroup(l.head.Salt, 0, number)
	if err == nil && later {
		err = reserve.damaged(0, number)
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
func (l *Log) recoverLast(s, reserve *segment, saved checkpoint) error {
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
	if err := l.requireUnsynced(reserve, number); err != nil {
		return err
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
