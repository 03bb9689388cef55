package state

import (
	"encoding/binary"
	"hash/crc32"
)

// A frame is the unit in segments and bases: all of it is there and right, or
// none of it. Its 36 bytes of header are length, checksum, kind, table, offset,
// time and the end of the table's frame before.
type frame struct {
	kind    byte
	table   uint8
	offset  int64
	time    int64
	prev    int64
	payload []byte
}

const (
	// frameRecord holds the changes that a table made for one record.
	frameRecord = iota + 1
	// frameMark says that all tables have completed every record below its offset.
	frameMark
	// frameTable names a table and its logic, from the next mark on.
	frameTable
	// frameBase holds entries of a table in a base.
	frameBase
	// frameEnd is the last frame of a base.
	frameEnd
)

const frameHeader = 36

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendFrame(b []byte, f frame) []byte {
	start := len(b)
	var header [frameHeader]byte
	b = append(append(b, header[:]...), f.payload...)
	le := binary.LittleEndian
	h := b[start:]
	le.PutUint32(h, uint32(len(h)))
	h[8], h[9] = f.kind, f.table
	le.PutUint64(h[12:], uint64(f.offset))
	le.PutUint64(h[20:], uint64(f.time))
	le.PutUint64(h[28:], uint64(f.prev))
	le.PutUint32(h[4:], checksum(h))
	return b
}

// checksum covers the whole frame but for the checksum itself.
func checksum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:4], castagnoli), castagnoli, b[8:])
}

// intact is the guard against torn and rotten frames.
func intact(b []byte) bool { return binary.LittleEndian.Uint32(b[4:]) == checksum(b) }

func parseFrame(b []byte) frame {
	le := binary.LittleEndian
	return frame{
		kind: b[8], table: b[9],
		offset: int64(le.Uint64(b[12:])), time: int64(le.Uint64(b[20:])), prev: int64(le.Uint64(b[28:])),
		payload: b[frameHeader:],
	}
}
