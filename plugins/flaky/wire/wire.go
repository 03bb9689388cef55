// Package wire writes and reads the small binary values of detection's state:
// little-endian numbers and texts with their length in front.
package wire

import (
	"encoding/binary"
	"math"
)

// Writer appends values to Bytes.
type Writer struct{ Bytes []byte }

// Byte appends one byte.
func (w *Writer) Byte(v byte) { w.Bytes = append(w.Bytes, v) }

// U16 appends two bytes.
func (w *Writer) U16(v uint16) { w.Bytes = binary.LittleEndian.AppendUint16(w.Bytes, v) }

// U32 appends four bytes.
func (w *Writer) U32(v uint32) { w.Bytes = binary.LittleEndian.AppendUint32(w.Bytes, v) }

// U64 appends eight bytes.
func (w *Writer) U64(v uint64) { w.Bytes = binary.LittleEndian.AppendUint64(w.Bytes, v) }

// Int appends a number in as few bytes as it needs.
func (w *Writer) Int(v int64) { w.Bytes = binary.AppendVarint(w.Bytes, v) }

// F32 appends four bytes.
func (w *Writer) F32(v float32) { w.U32(math.Float32bits(v)) }

// Text appends a text with its length.
func (w *Writer) Text(s string) {
	w.Bytes = binary.AppendUvarint(w.Bytes, uint64(len(s)))
	w.Bytes = append(w.Bytes, s...)
}

// Texts appends a list of texts.
func (w *Writer) Texts(list []string) {
	w.Bytes = binary.AppendUvarint(w.Bytes, uint64(len(list)))
	for _, s := range list {
		w.Text(s)
	}
}

// Reader reads what Writer wrote. Beyond the end it reads zeros.
type Reader struct{ Bytes []byte }

func (r *Reader) take(n int) []byte {
	if n < 0 || len(r.Bytes) < n {
		r.Bytes = nil
		return nil
	}
	b := r.Bytes[:n]
	r.Bytes = r.Bytes[n:]
	return b
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 reads two bytes.
func (r *Reader) U16() uint16 {
	if b := r.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// U32 reads four bytes.
func (r *Reader) U32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// U64 reads eight bytes.
func (r *Reader) U64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Int reads a number written by Int.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.Bytes)
	r.take(max(n, 1))
	return v
}

// F32 reads four bytes.
func (r *Reader) F32() float32 { return math.Float32frombits(r.U32()) }

// Text reads a text into memory of its own.
func (r *Reader) Text() string {
	length, n := binary.Uvarint(r.Bytes)
	r.take(max(n, 1))
	if length > uint64(len(r.Bytes)) {
		r.Bytes = nil
		return ""
	}
	return string(r.take(int(length)))
}

// Texts reads a list of texts.
func (r *Reader) Texts() []string {
	length, n := binary.Uvarint(r.Bytes)
	r.take(max(n, 1))
	var list []string
	for i := uint64(0); i < length && len(r.Bytes) > 0; i++ {
		list = append(list, r.Text())
	}
	return list
}
