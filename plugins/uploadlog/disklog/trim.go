package disklog

import (
	"errors"
	"fmt"
	"io/fs"
)

const (
	// slackSegments are kept although they are done.
	slackSegments = 1
	// recycledSegments are at most kept as files to write again.
	recycledSegments = 4
)

// Trim removes the segments that nobody needs any more: done, in the state's
// synced files, and older than Retain.
func (l *Log) Trim() error { return l.trim(false) }

// trim removes segments; urgent forgets about Retain and slack, because
// accepting new uploads goes before keeping done ones.
func (l *Log) trim(urgent bool) error {
	l.trimming.Lock()
	defer l.trimming.Unlock()
	l.mu.Lock()
	count := l.unneeded(urgent)
	l.mu.Unlock()
	if urgent {
		if err := l.dropRecycled(); err != nil {
			return err
		}
	}
	if count == 0 {
		return nil
	}
	// A checkpoint below the log's beginning would do no harm, and a full disk
	// must not keep the log from making room, so an error is left to the next one.
	_ = l.Checkpoint()
	l.mu.Lock()
	dropped := l.segments[:count:count]
	for _, s := range dropped {
		if s.pins > 0 {
			l.mu.Unlock()
			return nil
		}
	}
	for _, s := range dropped {
		l.dropIndex(s)
	}
	l.segments = append([]*segment(nil), l.segments[count:]...)
	l.mu.Unlock()
	for _, s := range dropped {
		if err := s.file.Close(); err != nil {
			return fmt.Errorf("closing a log segment: %w", err)
		}
		if err := l.retire(s, urgent); err != nil {
			return err
		}
	}
	return nil
}

// retire takes a segment's file out of the log, to be written again or for good.
func (l *Log) retire(s *segment, urgent bool) error {
	l.mu.Lock()
	again := !urgent && s.capacity == l.options.SegmentBytes && len(l.recycled) < recycledSegments
	l.mu.Unlock()
	name := l.recycledPath(s.sequence)
	if again {
		if err := l.disk.Rename(s.name, name); err != nil {
			return fmt.Errorf("putting a log segment aside: %w", err)
		}
	} else if err := l.disk.Remove(s.name); err != nil {
		return fmt.Errorf("removing a log segment: %w", err)
	}
	// One at a time: a power cut leaves no gap between the segments, and no file is
	// written again while it may still be the old segment after a power cut.
	if err := l.disk.SyncDir(l.dir); err != nil {
		return fmt.Errorf("syncing the log folder: %w", err)
	}
	if again {
		l.mu.Lock()
		l.recycled = append(l.recycled, name)
		l.mu.Unlock()
	}
	return nil
}

// takeRecycled takes a file that waits to be a segment again; "" is none.
func (l *Log) takeRecycled() (name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last := len(l.recycled) - 1; last >= 0 {
		name = l.recycled[last]
		l.recycled = l.recycled[:last]
	}
	return name
}

// dropRecycled gives the disk back what only saves time.
func (l *Log) dropRecycled() error {
	for name := l.takeRecycled(); name != ""; name = l.takeRecycled() {
		if err := l.disk.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing a file of the log: %w", err)
		}
	}
	return nil
}

// unneeded counts the segments, from the oldest on, that may go.
func (l *Log) unneeded(urgent bool) int {
	done := 0
	for done < len(l.segments)-1 && l.isDone(l.segments[done+1]) {
		done++
	}
	if urgent {
		return done
	}
	done = max(0, done-slackSegments)
	if l.options.Retain <= 0 && l.options.RetainBytes <= 0 {
		return done
	}
	count := 0
	for count < done && !l.retained(count, done) {
		count++
	}
	return count
}

// isDone says whether everything in front of a segment is done.
func (l *Log) isDone(next *segment) bool {
	for i := range l.lanes {
		if next.before[i].last >= l.lanes[i].needed() {
			return false
		}
	}
	return true
}

// needed is the trim rule: the first number that the store or the state can still ask for.
func (a *lane) needed() int64 {
	if a.kept < 0 {
		return a.cursor
	}
	return min(a.cursor, a.kept)
}

// retained says whether a done segment is kept for replay: it goes when it is
// too old, or when the done ones are too many bytes.
func (l *Log) retained(i, done int) bool {
	if limit := l.options.Retain.Milliseconds(); limit > 0 && l.time-l.segments[i+1].time > limit {
		return false
	}
	if l.options.RetainBytes > 0 {
		var bytes int64
		for _, s := range l.segments[i:done] {
			bytes += s.capacity
		}
		return bytes <= l.options.RetainBytes
	}
	return true
}
