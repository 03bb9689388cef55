package disklog

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

// spareSegment is a reserved file that has no entries yet.
type spareSegment struct {
	name     string
	sequence int64
	capacity int64
	file     disk.File
	err      error
}

// room refuses while the disk has less free than must stay free. Entries that
// are done and only kept for replay make way first.
func (l *Log) room() error {
	err := l.freeBeyond(0)
	if errors.Is(err, ErrFull) && l.trim(true) == nil {
		err = l.freeBeyond(0)
	}
	return err
}

// freeBeyond refuses when taking so many bytes would leave less than must stay free.
func (l *Log) freeBeyond(bytes int64) error {
	free, total, err := l.disk.Free(l.dir)
	if err != nil {
		return fmt.Errorf("asking for free disk space: %w", err)
	}
	least := max(uint64(l.options.MinFreeBytes), uint64(float64(total)*l.options.MinFreePercent/100))
	if free < least+uint64(bytes) {
		return fmt.Errorf("%w: %d MB are free on the disk of %s, %d MB must stay free", ErrFull, free>>20, l.dir, least>>20)
	}
	return nil
}

// roomForSegment refuses when another segment would pass a limit.
func (l *Log) roomForSegment() error {
	if err := l.freeBeyond(l.options.SegmentBytes); err != nil {
		return err
	}
	l.mu.Lock()
	bytes := l.options.SegmentBytes * int64(1+len(l.recycled))
	for _, s := range l.segments {
		bytes += s.capacity
	}
	l.mu.Unlock()
	if l.options.MaxBytes > 0 && bytes > l.options.MaxBytes {
		return fmt.Errorf("%w: it holds %d MB that are not done in %s, and may hold no more", ErrFull, (bytes-l.options.SegmentBytes)>>20, l.dir)
	}
	return nil
}

// reserve makes the file of a segment, with all its space: out of one that was
// trimmed, or a new one.
func (l *Log) reserve(sequence int64) (spareSegment, error) {
	made := spareSegment{name: l.segmentPath(sequence), sequence: sequence, capacity: l.options.SegmentBytes}
	if old := l.takeRecycled(); old != "" {
		err := l.reserveAgain(&made, old)
		return made, err
	}
	err := l.roomForSegment()
	if errors.Is(err, ErrFull) && l.trim(true) == nil {
		err = l.roomForSegment()
	}
	if err != nil {
		return spareSegment{}, err
	}
	if err := l.disk.Remove(made.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return spareSegment{}, fmt.Errorf("making a log segment: %w", err)
	}
	if made.file, err = l.disk.Create(made.name); err != nil {
		return spareSegment{}, fullOr(fmt.Errorf("making a log segment: %w", err))
	}
	err = made.file.Allocate(made.capacity)
	if err == nil {
		err = makeDurable(made.file)
	}
	if err == nil {
		err = l.disk.SyncDir(l.dir)
	}
	if err != nil {
		err = errors.Join(err, made.file.Close(), l.disk.Remove(made.name))
		return spareSegment{}, fullOr(fmt.Errorf("reserving a log segment: %w", err))
	}
	return made, nil
}

// reserveAgain makes a segment out of a file that was one before. Its head still
// names the old one, so it counts as a reserve until the new head is written.
func (l *Log) reserveAgain(made *spareSegment, old string) (err error) {
	if made.file, err = l.disk.Open(old); err != nil {
		return fmt.Errorf("using a log segment again: %w", err)
	}
	err = l.disk.Rename(old, made.name)
	if err == nil {
		err = l.disk.SyncDir(l.dir)
	}
	if err != nil {
		return fmt.Errorf("using a log segment again: %w", errors.Join(err, made.file.Close()))
	}
	return nil
}

// fullOr names a full disk as what it is.
func fullOr(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// reserveAhead begins to reserve the next segment when half of this one is
// used, so that no group waits for it.
func (l *Log) reserveAhead(s *segment) {
	if l.spare != nil || s.end < s.capacity/2 {
		return
	}
	result := make(chan spareSegment, 1)
	l.spare = result
	go func() {
		made, err := l.reserve(s.sequence + 1)
		made.err = err
		result <- made
	}()
}

// nextSegment is the segment after the active one, without its head.
func (l *Log) nextSegment() (*segment, error) {
	made := spareSegment{err: ErrFull}
	if l.spare != nil {
		made = <-l.spare
		l.spare = nil
	}
	if made.err != nil {
		var err error
		if made, err = l.reserve(l.active.sequence + 1); err != nil {
			return nil, err
		}
	}
	s := &segment{
		name: made.name, sequence: made.sequence, capacity: made.capacity, file: made.file,
		first: l.next, time: l.time, headless: true, end: segmentHead,
	}
	for i := range l.lanes {
		s.before = append(s.before, l.lanes[i].totals)
	}
	return s, nil
}

// dropSpare lets go of a reserve when the log closes; the next Open removes the file.
func (l *Log) dropSpare() {
	if l.spare != nil {
		if made := <-l.spare; made.err == nil {
			_ = made.file.Close()
		}
		l.spare = nil
	}
	if l.active.headless && l.segments[len(l.segments)-1] != l.active {
		_ = l.active.file.Close()
	}
}
