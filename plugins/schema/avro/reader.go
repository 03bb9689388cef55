package avro

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"unsafe"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

var (
	errDamaged  = errors.New("it ends early or has a value out of its range")
	errTrailing = errors.New("bytes follow its end")
)

// reader reads the primitives of Avro's binary encoding. After the first
// mistake bad stays set and everything reads as nothing. What it allocates is
// bounded by the size of the data: no item of ours is encoded in no bytes.
type reader struct {
	data []byte
	text string // The same bytes; strings are pieces of it.
	at   int
	bad  bool
}

// aliasing reads strings as pieces of data.
func aliasing(data []byte) reader {
	return reader{data: data, text: unsafe.String(unsafe.SliceData(data), len(data))}
}

// copying reads strings as pieces of one copy of data.
func copying(data []byte) reader {
	text := string(data)
	return reader{data: unsafe.Slice(unsafe.StringData(text), len(text)), text: text}
}

// end is the error of the whole.
func (r *reader) end() error {
	switch {
	case r.bad:
		return errDamaged
	case r.at != len(r.data):
		return errTrailing
	}
	return nil
}

func (r *reader) fail() {
	r.bad = true
	r.at = len(r.data)
}

func (r *reader) long() int64 {
	if r.at < len(r.data) {
		if b := r.data[r.at]; b < 0x80 {
			r.at++
			return int64(b>>1) ^ -int64(b&1)
		}
	}
	return r.longerLong()
}

func (r *reader) longerLong() int64 {
	v, n := binary.Varint(r.data[r.at:])
	if n <= 0 {
		r.fail()
		return 0
	}
	r.at += n
	return v
}

// int reads a long that has to be an int of this machine.
func (r *reader) int() int { return int(r.long()) }

func (r *reader) str() string {
	n := r.long()
	if uint64(n) > uint64(len(r.data)-r.at) {
		r.fail()
		return ""
	}
	s := r.text[r.at : r.at+int(n)]
	r.at += int(n)
	return s
}

func (r *reader) bytes() []byte {
	n := r.long()
	if uint64(n) > uint64(len(r.data)-r.at) {
		r.fail()
		return nil
	}
	end := r.at + int(n)
	b := r.data[r.at:end:end]
	r.at = end
	return b
}

func (r *reader) bool() bool {
	if r.at >= len(r.data) || r.data[r.at] > 1 {
		r.fail()
		return false
	}
	r.at++
	return r.data[r.at-1] == 1
}

// nothing is what a fixed reads as after a mistake; nobody writes to it.
var nothing [8]byte

func (r *reader) fixed8() []byte {
	if len(r.data)-r.at < 8 {
		r.fail()
		return nothing[:]
	}
	r.at += 8
	return r.data[r.at-8 : r.at]
}

func (r *reader) double() float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(r.fixed8()))
}

func (r *reader) identity() uint64 { return binary.BigEndian.Uint64(r.fixed8()) }

// choice reads the branch of a union with null in front; false is null.
func (r *reader) choice() bool {
	switch r.long() {
	case 0:
		return false
	case 1:
		return true
	}
	r.fail()
	return false
}

// items begins the next block of an array or a map and returns how many items
// it has, 0 at the end. size is the least number of bytes of an item.
func (r *reader) items(size int) int {
	n := r.long()
	if n < 0 {
		n = -n
		r.long() // The size of the block in bytes, for those who skip it.
	}
	if uint64(n) > uint64(len(r.data)-r.at)/uint64(size) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) texts(into []string) []string {
	for n := r.items(1); n > 0; n = r.items(1) {
		into = slices.Grow(into, n)
		for range n {
			into = append(into, r.str())
		}
	}
	return into
}

func (r *reader) tags() (tags []testengine.Tag) {
	for n := r.items(2); n > 0; n = r.items(2) {
		tags = slices.Grow(tags, n)
		for range n {
			tags = append(tags, testengine.Tag{Key: r.str(), Value: r.str()})
		}
	}
	return tags
}
