// Package buffers keeps the memory of bodies that have been answered, so that
// the next ones need no new memory, which costs more than filling it.
package buffers

import (
	"math/bits"
	"sync"
)

// smallest is the least room that a buffer has, in bytes.
const smallest = 4 << 10

// Pool holds buffers by the room they have. There are eight sizes between a
// power of two and the next, so that at most an eighth is room for nothing. A
// nil Pool makes new memory each time. What nobody uses for two garbage
// collections is given up.
type Pool struct {
	sizes [8 * 64]sync.Pool
}

// sizeOf returns the number of the smallest size that has room for n bytes, and
// the room.
func sizeOf(n int64) (number int, room int64) {
	n = max(n, smallest)
	step := max(bits.Len64(uint64(n-1))-4, 0)
	eighths := (n-1)>>step + 1 // from 9 to 16 of the power of two's eighths
	return 8*step + int(eighths) - 9, eighths << step
}

// Get returns an empty buffer with room for at least n bytes.
func (p *Pool) Get(n int64) []byte {
	if p == nil {
		return make([]byte, 0, n)
	}
	number, room := sizeOf(n)
	if kept, ok := p.sizes[number].Get().(*[]byte); ok {
		return (*kept)[:0]
	}
	return make([]byte, 0, room)
}

// Put takes a buffer back that nobody reads any more. What is not from Get is
// left alone.
func (p *Pool) Put(buffer []byte) {
	if p == nil {
		return
	}
	if number, room := sizeOf(int64(cap(buffer))); room == int64(cap(buffer)) {
		p.sizes[number].Put(&buffer)
	}
}
