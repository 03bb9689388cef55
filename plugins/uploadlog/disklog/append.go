package disklog

import (
	"fmt"
)

// request is one Append: its entries are answered together.
type request struct {
	entries []Entry
	bytes   int64
	done    func(error)
}

type answer struct {
	done func(error)
	err  error
}

// Append takes entries and returns at once. done is called when all of them are
// durable, or with the reason why not; entries of a failed request may still
// have been written, so whoever repeats it counts on the duplicate key.
// Meta belongs to the log from now on, and so does a given body; another one until done is called.
func (l *Log) Append(entries []Entry, done func(error)) error {
	for i := range entries {
		if size := entries[i].bound(); size > l.options.SegmentBytes-segmentHead {
			return fmt.Errorf("%w: it has %d bytes, a segment %d", ErrTooLarge, size, l.options.SegmentBytes)
		}
	}
	l.mu.Lock()
	if err := l.refusal(); err != nil {
		l.mu.Unlock()
		return err
	}
	l.queue.add(&request{entries: entries, done: done})
	l.mu.Unlock()
	l.signal()
	return nil
}

func (l *Log) refusal() error {
	if l.closing || l.options.ReadOnly {
		return ErrClosed
	}
	return l.failed
}

// bound is at least what the entry takes in a segment.
func (e *Entry) bound() int64 {
	size := frameHead + 40 + len(e.Kind) + len(e.Key.Upload) + len(e.Body)
	for i := range e.Meta {
		size += len(e.Meta[i].Name) + len(e.Meta[i].Text) + 22
	}
	return int64(size)
}

func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// commitUntilClosed is the one committer.
func (l *Log) commitUntilClosed() {
	for range l.wake {
		for {
			requests, closing := l.takeRequests()
			if len(requests) > 0 {
				l.commit(requests)
				continue
			}
			if closing {
				l.dropSpare()
				return
			}
			break
		}
	}
}

// takeRequests takes what has gathered while the last group was synced: the
// more there is to do, the more one sync covers.
func (l *Log) takeRequests() (taken []*request, closing bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queue.take(), l.closing
}
