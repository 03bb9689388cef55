package disklog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

const (
	segmentHead   = 4096
	segmentPrefix = "segment-"
	// recycledPrefix names files that were trimmed and wait to be a segment again:
	// blocks that were written before take writes several times faster than new
	// ones. What is left in them cannot pass for new: a head says which segment it
	// is for, and every entry has a number that is given once.
	recycledPrefix = "recycled-"
)

var segmentMagic = []byte("TELOG\x00\x00\x01")

// segment is one file of the log. Its head is written with its first group and
// says what the log had before it, so that no older file is needed to know it.
type segment struct {
	name     string
	sequence int64
	first    int64 // Number of its first entry.
	time     int64 // T before its first entry.
	before   []totals
	file     disk.File
	capacity int64
	headless bool // Its head is still to be written, with its first group.

	// index holds the entries of each lane; nil until somebody reads them.
	index [][]ref
	refs  int
	used  int64 // When it was last read, for choosing whose index to drop.
	pins  int   // Readers at work on the file.
	end   int64 // The byte behind the last published frame; of the last segment.
}

// ref is where an entry lies. record is the entry while it is held in memory.
type ref struct {
	number int64
	offset uint32
	length uint32
	record *Record
}

func segmentName(sequence int64) string {
	return fmt.Sprintf("%s%012d", segmentPrefix, sequence)
}

func segmentSequence(name string) (sequence int64, ok bool) {
	digits, ok := strings.CutPrefix(name, segmentPrefix)
	if !ok {
		return 0, false
	}
	sequence, err := strconv.ParseInt(digits, 10, 64)
	return sequence, err == nil
}

func (l *Log) recycledPath(sequence int64) string {
	return path.Join(l.dir, fmt.Sprintf("%s%012d", recycledPrefix, sequence))
}

func (l *Log) segmentPath(sequence int64) string { return path.Join(l.dir, segmentName(sequence)) }

// appendHead writes the segment's head:
// magic 8, checksum 4, lanes 4, sequence 8, first 8, time 8, then per lane last, count, bytes.
func (s *segment) appendHead(to []byte, salt uint32) []byte {
	start := len(to)
	to = append(to, make([]byte, segmentHead)...)
	head := to[start:]
	copy(head, segmentMagic)
	binary.LittleEndian.PutUint32(head[12:], uint32(len(s.before)))
	binary.LittleEndian.PutUint64(head[16:], uint64(s.sequence))
	binary.LittleEndian.PutUint64(head[24:], uint64(s.first))
	binary.LittleEndian.PutUint64(head[32:], uint64(s.time))
	for i, lane := range s.before {
		at := head[40+24*i:]
		binary.LittleEndian.PutUint64(at, uint64(lane.last))
		binary.LittleEndian.PutUint64(at[8:], uint64(lane.count))
		binary.LittleEndian.PutUint64(at[16:], uint64(lane.bytes))
	}
	binary.LittleEndian.PutUint32(head[8:], crc32.Update(salt, castagnoli, head[12:]))
	return to
}

// readHead fills the segment from its file; false means that no head was ever made durable there.
func (s *segment) readHead(salt uint32, lanes int) (ok bool, err error) {
	head := make([]byte, segmentHead)
	n, err := s.file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("reading %s: %w", s.name, err)
	}
	if n < segmentHead {
		return false, nil
	}
	if !bytes.Equal(head[:8], segmentMagic) || crc32.Update(salt, castagnoli, head[12:]) != binary.LittleEndian.Uint32(head[8:]) {
		return false, nil
	}
	if int(binary.LittleEndian.Uint32(head[12:])) != lanes || int64(binary.LittleEndian.Uint64(head[16:])) != s.sequence {
		return false, nil
	}
	s.first = int64(binary.LittleEndian.Uint64(head[24:]))
	s.time = int64(binary.LittleEndian.Uint64(head[32:]))
	s.before = make([]totals, lanes)
	for i := range s.before {
		at := head[40+24*i:]
		s.before[i] = totals{
			last:  int64(binary.LittleEndian.Uint64(at)),
			count: int64(binary.LittleEndian.Uint64(at[8:])),
			bytes: int64(binary.LittleEndian.Uint64(at[16:])),
		}
	}
	return true, nil
}

// damaged is the refusal that names the place.
func (s *segment) damaged(at int64, number int64) error {
	return fmt.Errorf("the log segment %s is damaged at byte %d (entry %d): restore the folder from a copy, or move it away to begin a new log",
		s.name, at, number)
}
