package state

import (
	"errors"
	"fmt"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

// A writer appends frames to the newest segment.
type writer struct {
	file   disk.File
	header segmentHeader
	end    int64 // bytes in the file
	start  int64 // length of the header
	buffer []byte
}

// flushBytes is how much may wait in memory: what is lost by kill -9 is done again.
const flushBytes = 256 << 10

func newWriter(d disk.Disk, dir string, header segmentHeader) (*writer, error) {
	head, err := encodeHeader(header)
	if err != nil {
		return nil, err
	}
	file, err := d.Create(segmentName(dir, header.Number))
	if err != nil {
		return nil, fmt.Errorf("making a delta segment: %w", err)
	}
	w := &writer{file: file, header: header, buffer: head, start: int64(len(head))}
	if err := w.flush(); err != nil { // A full disk is tried again and again: each try would leave a file.
		return nil, errors.Join(err, file.Close(), d.Remove(segmentName(dir, header.Number)))
	}
	return w, nil
}

func (w *writer) add(f frame) error {
	w.buffer = appendFrame(w.buffer, f)
	if len(w.buffer) < flushBytes {
		return nil
	}
	return w.flush()
}

// flush writes what waits, without a sync.
func (w *writer) flush() error {
	if len(w.buffer) == 0 {
		return nil
	}
	n, err := w.file.WriteAt(w.buffer, w.end)
	w.end += int64(n)
	if err != nil {
		return fmt.Errorf("writing deltas: %w", err)
	}
	w.buffer = w.buffer[:0]
	return nil
}

// empty reports whether the segment holds no frame.
func (w *writer) empty() bool { return w.end+int64(len(w.buffer)) == w.start }

// seal ends the segment; whoever syncs it opens it again.
func (w *writer) seal() (segment, error) {
	if err := w.flush(); err != nil {
		return segment{}, err
	}
	return segment{header: w.header, end: w.end}, w.file.Close()
}

// sync makes a sealed segment durable.
func (s *segment) sync(d disk.Disk, dir string) error {
	if s.synced {
		return nil
	}
	file, err := d.Open(segmentName(dir, s.header.Number))
	if err != nil {
		return fmt.Errorf("syncing deltas: %w", err)
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("syncing deltas: %w", err)
	}
	s.synced = true
	return nil
}
