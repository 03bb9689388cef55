package disklog

import (
	"fmt"
	"sort"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

// maxRefs bounds the index in memory, about 70 MB; what is dropped is read again from the heads of the frames.
const maxRefs = 2 << 20

// Limit bounds a read. The first record is always given.
type Limit struct {
	Entries int
	Bytes   int64
}

// Read returns the lane's next records with numbers from on, whole and in
// order; none when there are none yet. It may return fewer than the limit allows.
func (l *Log) Read(lane int, from int64, limit Limit) ([]Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := l.segmentAt(from); i < len(l.segments); i++ {
		s := l.segments[i]
		if l.lastIn(i, lane) < max(from, s.first) {
			continue
		}
		s.pins++
		records, err := l.readSegment(i, lane, from, limit)
		s.pins--
		if err != nil || len(records) > 0 {
			return records, err
		}
		return nil, s.damaged(s.end, from)
	}
	return nil, nil
}

// segmentAt is the position of the segment that holds number, or the first behind it.
func (l *Log) segmentAt(number int64) int {
	return sort.Search(len(l.segments), func(i int) bool { return l.endOf(i) > number })
}

// endOf is the number after the segment's last.
func (l *Log) endOf(i int) int64 {
	if i+1 < len(l.segments) {
		return l.segments[i+1].first
	}
	return l.next
}

// lastIn is the lane's last number up to the segment's end.
func (l *Log) lastIn(i, lane int) int64 {
	if i+1 < len(l.segments) {
		return l.segments[i+1].before[lane].last
	}
	return l.lanes[lane].last
}

// readSegment reads from one segment, which the caller has pinned. mu is held
// by the caller and let go while the disk is read.
func (l *Log) readSegment(i, lane int, from int64, limit Limit) ([]Record, error) {
	s := l.segments[i]
	if s.index == nil {
		if err := l.loadIndex(s, l.endOf(i)); err != nil {
			return nil, err
		}
	}
	l.uses++
	s.used = l.uses
	refs := s.index[lane]
	begin := sort.Search(len(refs), func(i int) bool { return refs[i].number >= from })
	end, bytes := begin, int64(0)
	for end < len(refs) && (end == begin || end-begin < limit.Entries && bytes+int64(refs[end].length) <= limit.Bytes) {
		bytes += int64(refs[end].length)
		end++
	}
	records := make([]Record, end-begin)
	wanted := append([]ref(nil), refs[begin:end]...)
	for k := range wanted {
		if held := l.takeRecord(&refs[begin+k]); held != nil {
			records[k] = *held
		}
	}
	l.mu.Unlock()
	defer l.mu.Lock()
	for k := range wanted {
		if records[k].frameBytes > 0 {
			continue
		}
		if err := l.readRecord(s, lane, wanted[k], &records[k]); err != nil {
			return nil, err
		}
	}
	return records, nil
}

func (l *Log) readRecord(s *segment, lane int, at ref, into *Record) error {
	from := int64(at.offset) &^ (disk.BlockSize - 1)
	blocks := disk.AlignedBuffer(int(blockUp(int64(at.offset)+int64(at.length)) - from))
	blocks = blocks[:cap(blocks)]
	n, err := s.file.ReadAt(blocks, from)
	begin := int(int64(at.offset) - from)
	if n < begin+int(at.length) {
		return fmt.Errorf("reading entry %d from %s: %w", at.number, s.name, err)
	}
	whole := blocks[begin : begin+int(at.length) : begin+int(at.length)]
	record, err := decodeFrame(l.head.Salt, whole)
	if err != nil || record.Number != at.number || record.Lane != lane {
		return s.damaged(int64(at.offset), at.number)
	}
	*into = record
	return nil
}

// loadIndex reads the heads of a sealed segment's frames. The caller holds mu, which is let go meanwhile.
func (l *Log) loadIndex(s *segment, end int64) error {
	l.mu.Unlock()
	index := make([][]ref, len(l.lanes))
	at, number, err := s.walk(l.head.Salt, segmentHead, s.first, end, false, func(at int64, f frame, _ []byte) {
		lane := int(f.lane) % len(index)
		index[lane] = append(index[lane], ref{number: f.number, offset: uint32(at), length: uint32(f.size())})
	})
	l.mu.Lock()
	if err != nil {
		return err
	}
	if number != end {
		return s.damaged(at, number)
	}
	if s.index != nil {
		return nil
	}
	s.index = index
	s.refs = int(end - s.first)
	l.refs += s.refs
	l.uses++
	s.used = l.uses
	l.boundRefs()
	return nil
}

// addRef notes a published entry; the caller holds mu or is alone.
func (l *Log) addRef(s *segment, lane int, r ref) {
	if s.index == nil {
		s.index = make([][]ref, len(l.lanes))
	}
	s.index[lane] = append(s.index[lane], r)
	s.refs++
	l.refs++
}

// boundRefs drops the indexes used longest ago; never that of the segment being written, nor of one being read.
func (l *Log) boundRefs() {
	for l.refs > maxRefs {
		var oldest *segment
		for _, s := range l.segments[:len(l.segments)-1] {
			if s.index != nil && s.pins == 0 && (oldest == nil || s.used < oldest.used) {
				oldest = s
			}
		}
		if oldest == nil {
			return
		}
		l.dropIndex(oldest)
	}
}

func (l *Log) dropIndex(s *segment) {
	for lane := range s.index {
		for i := range s.index[lane] {
			l.takeRecord(&s.index[lane][i])
		}
	}
	l.refs -= s.refs
	s.index, s.refs = nil, 0
}

// Oldest is T of the oldest entry that is not done.
func (l *Log) Oldest() (unixMilli int64, ok bool) {
	for lane := range l.lanes {
		if t, waiting := l.oldestOf(lane); waiting && (!ok || t < unixMilli) {
			unixMilli, ok = t, true
		}
	}
	return unixMilli, ok
}

func (l *Log) oldestOf(lane int) (unixMilli int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	cursor := l.lanes[lane].cursor
	for i := l.segmentAt(cursor); i < len(l.segments); i++ {
		s := l.segments[i]
		if l.lastIn(i, lane) < max(cursor, s.first) {
			continue
		}
		if s.index == nil {
			return s.time, true // Near enough, and free.
		}
		refs := s.index[lane]
		at := sort.Search(len(refs), func(k int) bool { return refs[k].number >= cursor })
		if at == len(refs) {
			return s.time, true
		}
		if refs[at].record != nil {
			return refs[at].record.Time, true
		}
		head := make([]byte, frameHead)
		if _, err := s.file.ReadAt(head, int64(refs[at].offset)); err != nil {
			return s.time, true
		}
		f, err := readFrame(head)
		return f.time, err == nil
	}
	return 0, false
}
