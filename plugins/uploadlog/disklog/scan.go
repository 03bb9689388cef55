package disklog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	scanWindow = 256 << 10
	hopWindow  = 16 << 10 // For reading heads only.
)

// window reads a file forwards in pieces of at least size bytes.
type window struct {
	s    *segment
	size int
	at   int64
	data []byte
	err  error // What kept it from reading; the end of the file does not.
}

// bytesAt returns up to n bytes at the place; fewer at the end of the file.
func (w *window) bytesAt(at int64, n int) []byte {
	if at < w.at || at+int64(n) > w.at+int64(len(w.data)) {
		size := max(n, w.size)
		if cap(w.data) < size {
			w.data = make([]byte, size)
		}
		w.data = w.data[:size]
		read, err := w.s.file.ReadAt(w.data, at)
		if err != nil && !errors.Is(err, io.EOF) {
			w.err = fmt.Errorf("reading %s: %w", w.s.name, err)
		}
		w.data = w.data[:read]
		w.at = at
	}
	from := at - w.at
	return w.data[from:min(from+int64(n), int64(len(w.data)))]
}

// walk calls each for every frame from the place on whose number is the next
// one, until a place where there is none, or until the number. With verify
// the whole frame is checked, otherwise only its head is read.
func (s *segment) walk(salt uint32, at, number, until int64, verify bool, each func(at int64, f frame, whole []byte)) (stopped, next int64, err error) {
	w := window{s: s, size: hopWindow}
	if verify {
		w.size = scanWindow
	}
	for number < until {
		place := at
		f, whole, ok := w.frameAt(salt, place, number, verify)
		if !ok && blockUp(at) > at {
			// A group that was written in whole blocks begins at the next one.
			place = blockUp(at)
			f, whole, ok = w.frameAt(salt, place, number, verify)
		}
		if !ok {
			return at, number, w.err
		}
		each(place, f, whole)
		at = place + f.size()
		number++
	}
	return at, number, nil
}

// frameAt is the frame with that number at the place.
func (w *window) frameAt(salt uint32, at, number int64, verify bool) (f frame, whole []byte, ok bool) {
	f, err := readFrame(w.bytesAt(at, frameHead))
	if err != nil || f.number != number || at+f.size() > w.s.capacity {
		return f, nil, false
	}
	if !verify {
		return f, nil, w.err == nil
	}
	whole = w.bytesAt(at, int(f.size()))
	return f, whole, int64(len(whole)) == f.size() && checksumMatches(salt, f, whole)
}

// laterGroup looks behind a place where no valid frame is for one that was
// written after entry number had been synced. Finding one means that synced
// bytes were lost: only the newest group can be torn. dirty says whether
// something lies there that could pass for a new frame's head, because its
// number is yet to be given.
func (s *segment) laterGroup(salt uint32, at, number int64) (found, dirty bool, err error) {
	magic := binary.LittleEndian.AppendUint32(nil, frameMagic)
	w := window{s: s, size: scanWindow}
	for {
		data := w.bytesAt(at, scanWindow)
		if len(data) == 0 || w.err != nil {
			return false, dirty, w.err
		}
		for from := 0; ; {
			hit := bytes.Index(data[from:], magic)
			if hit < 0 {
				break
			}
			from += hit
			f, yetToCome := s.headAt(data[from:], at+int64(from), number)
			dirty = dirty || yetToCome
			if yetToCome && s.isLaterFrame(salt, at+int64(from), f, number) {
				return true, true, nil
			}
			from++
		}
		if len(data) < scanWindow {
			return false, dirty, nil
		}
		at += int64(len(data) - len(magic) + 1)
	}
}

// headAt reads a frame's head whose first bytes are at hand, and says whether its number is not below the given one.
func (s *segment) headAt(head []byte, at, number int64) (f frame, yetToCome bool) {
	if len(head) < frameHead {
		head = (&window{s: s}).bytesAt(at, frameHead)
	}
	f, err := readFrame(head)
	return f, err == nil && f.number >= number
}

func (s *segment) isLaterFrame(salt uint32, at int64, f frame, number int64) bool {
	if f.groupStart() <= number || at+f.size() > s.capacity {
		return false
	}
	whole := (&window{s: s}).bytesAt(at, int(f.size()))
	return int64(len(whole)) == f.size() && checksumMatches(salt, f, whole)
}
