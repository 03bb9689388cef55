package disklog

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"unsafe"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// A frame is one entry in a segment, little endian:
//
//	magic      4  marks a frame for whoever searches one
//	checksum   4  crc32c of everything behind it, begun with the log's secret salt
//	length     4  of meta and body
//	meta       4  length of meta
//	number     8
//	time       8  T
//	group      4  how many entries before this one were not durable when it was begun
//	lane       2
//	reserved   2
//
// then meta and the body as it was sent.
const (
	frameHead  = 40
	frameMagic = 0x1fe7a90d
	// pieceBytes is how much of a body is copied before its checksum is taken: it is
	// still in the cache then, and the body is fetched from memory once.
	pieceBytes = 16 << 10
)

var (
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)
	errNoFrame  = errors.New("there is no frame")
	errChecksum = errors.New("the checksum is wrong")
)

// frame is a frame's head.
type frame struct {
	checksum uint32
	length   uint32
	meta     uint32
	number   int64
	time     int64
	group    uint32
	lane     uint16
}

func (f frame) size() int64       { return frameHead + int64(f.length) }
func (f frame) groupStart() int64 { return f.number - int64(f.group) }

// appendFrame appends the frame's head, without its checksum, and meta.
// appendBody ends the frame.
func appendFrame(to []byte, f frame, e *Entry) []byte {
	start := len(to)
	to = append(to, make([]byte, frameHead)...)
	to = appendMeta(to, e)
	head := to[start:]
	f.meta = uint32(len(head) - frameHead)
	f.length = f.meta + uint32(len(e.Body))
	binary.LittleEndian.PutUint32(head, frameMagic)
	binary.LittleEndian.PutUint32(head[8:], f.length)
	binary.LittleEndian.PutUint32(head[12:], f.meta)
	binary.LittleEndian.PutUint64(head[16:], uint64(f.number))
	binary.LittleEndian.PutUint64(head[24:], uint64(f.time))
	binary.LittleEndian.PutUint32(head[32:], f.group)
	binary.LittleEndian.PutUint16(head[36:], f.lane)
	return to
}

// appendBody appends the body of the frame that begins at start, and gives the
// frame its checksum.
func appendBody(to []byte, start int, salt uint32, body []byte) []byte {
	sum := crc32.Update(salt, castagnoli, to[start+8:])
	for len(body) > 0 {
		piece := body[:min(len(body), pieceBytes)]
		body = body[len(piece):]
		to = append(to, piece...)
		sum = crc32.Update(sum, castagnoli, to[len(to)-len(piece):])
	}
	binary.LittleEndian.PutUint32(to[start+4:], sum)
	return to
}

// readFrame reads a frame's head. It proves nothing about what follows.
func readFrame(head []byte) (frame, error) {
	if len(head) < frameHead || binary.LittleEndian.Uint32(head) != frameMagic {
		return frame{}, errNoFrame
	}
	f := frame{
		checksum: binary.LittleEndian.Uint32(head[4:]),
		length:   binary.LittleEndian.Uint32(head[8:]),
		meta:     binary.LittleEndian.Uint32(head[12:]),
		number:   int64(binary.LittleEndian.Uint64(head[16:])),
		time:     int64(binary.LittleEndian.Uint64(head[24:])),
		group:    binary.LittleEndian.Uint32(head[32:]),
		lane:     binary.LittleEndian.Uint16(head[36:]),
	}
	if f.meta > f.length || f.number < 0 || f.groupStart() < 0 {
		return frame{}, errNoFrame
	}
	return f, nil
}

// checksumMatches proves that the whole frame is what the committer wrote.
func checksumMatches(salt uint32, f frame, whole []byte) bool {
	return crc32.Update(salt, castagnoli, whole[8:f.size()]) == f.checksum
}

// decodeFrame reads a whole frame, verified.
func decodeFrame(salt uint32, whole []byte) (Record, error) {
	f, err := readFrame(whole)
	if err != nil {
		return Record{}, err
	}
	if int64(len(whole)) < f.size() || !checksumMatches(salt, f, whole) {
		return Record{}, errChecksum
	}
	r := Record{Number: f.number, Lane: int(f.lane), Time: f.time, frameBytes: f.size()}
	r.Body = whole[frameHead+f.meta : f.size() : f.size()]
	if !readMeta(whole[frameHead:frameHead+f.meta], &r) {
		return Record{}, errChecksum
	}
	return r, nil
}

func appendMeta(to []byte, e *Entry) []byte {
	to = appendText(to, string(e.Kind))
	to = appendText(to, e.Key.Upload)
	to = binary.AppendUvarint(to, uint64(e.Key.Cut))
	to = binary.AppendUvarint(to, uint64(e.Key.Chunk))
	to = binary.AppendUvarint(to, uint64(len(e.Meta)))
	for i := range e.Meta {
		pair := &e.Meta[i]
		to = appendText(to, pair.Name)
		if pair.IsNumber {
			to = append(to, 1)
			to = binary.AppendVarint(to, pair.Number)
			continue
		}
		to = append(to, 0)
		to = appendText(to, pair.Text)
	}
	return to
}

func appendText(to []byte, s string) []byte {
	return append(binary.AppendUvarint(to, uint64(len(s))), s...)
}

// metaReader reads what appendMeta wrote; bad stays set after the first mistake.
type metaReader struct {
	rest string
	bad  bool
}

func readMeta(meta []byte, r *Record) bool {
	// A copy: who keeps a suite's name must not keep a whole frame alive with it.
	in := metaReader{rest: string(meta)}
	r.Kind = testengine.Kind(in.text())
	r.Key = Key{Upload: in.text(), Cut: uint32(in.uint()), Chunk: uint32(in.uint())}
	count := in.uint()
	if in.bad || count > uint64(len(in.rest)) {
		return false
	}
	r.Meta = make([]Pair, count)
	for i := range r.Meta {
		pair := &r.Meta[i]
		pair.Name = in.text()
		if pair.IsNumber = in.uint() == 1; pair.IsNumber {
			pair.Number = in.int()
		} else {
			pair.Text = in.text()
		}
	}
	return !in.bad
}

func (m *metaReader) uint() uint64 {
	v, n := binary.Uvarint(unsafe.Slice(unsafe.StringData(m.rest), len(m.rest)))
	return m.take(v, n)
}

func (m *metaReader) int() int64 {
	v, n := binary.Varint(unsafe.Slice(unsafe.StringData(m.rest), len(m.rest)))
	return int64(m.take(uint64(v), n))
}

func (m *metaReader) take(v uint64, n int) uint64 {
	if n <= 0 {
		m.bad = true
		m.rest = ""
		return 0
	}
	m.rest = m.rest[n:]
	return v
}

func (m *metaReader) text() string {
	n := m.uint()
	if n > uint64(len(m.rest)) {
		m.bad = true
		return ""
	}
	s := m.rest[:n]
	m.rest = m.rest[n:]
	return s
}
