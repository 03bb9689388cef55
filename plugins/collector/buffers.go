package collector

import (
	"math/bits"
	"sync"
)

// buffers holds the memory of bodies that have been answered, by powers of two.
// A nil one makes new memory each time.
type buffers struct {
	classes [64]sync.Pool
}

// get returns an empty buffer with room for at least n bytes.
func (b *buffers) get(n int64) []byte {
	if b == nil {
		return make([]byte, 0, n)
	}
	class := bits.Len64(uint64(max(n, 1) - 1))
	if kept, ok := b.classes[class].Get().(*[]byte); ok {
		return (*kept)[:0]
	}
	return make([]byte, 0, int64(1)<<class)
}

// put takes a buffer back that nobody reads any more.
func (b *buffers) put(buffer []byte) {
	if b == nil || cap(buffer) == 0 || cap(buffer)&(cap(buffer)-1) != 0 {
		return
	}
	b.classes[bits.Len64(uint64(cap(buffer))-1)].Put(&buffer)
}
