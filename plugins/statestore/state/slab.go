package state

import (
	"encoding/binary"
	"math/bits"
)

// slabs hold values in pages by size class. An item is named by class and
// number, so that a value costs no pointer and the garbage collector sees a few
// pages without pointers. Freed items form a list through their own bytes.
type slabs struct {
	classes [classCount]class
	used    int
}

type class struct {
	pages [][]byte
	next  uint64 // first item never used
	free  uint64 // number + 1 of the first free item, 0 when none
}

const (
	fineStep   = 8
	fineMax    = 128 // up to here classes are fineStep apart
	fineCount  = fineMax / fineStep
	perOctave  = 8 // beyond, so many classes a doubling: at most an eighth is lost
	octaves    = 9 // 128 ... 65536
	classCount = fineCount + octaves*perOctave
	pageBytes  = 64 << 10
	firstItems = 8
)

// classOf returns the class for values of n bytes.
func classOf(n int) int {
	if n <= fineMax {
		return max(0, (n-1)/fineStep)
	}
	octave := bits.Len(uint(n-1)) - bits.Len(uint(fineMax))
	step := fineMax << octave / perOctave
	return fineCount + octave*perOctave + (n-1-fineMax<<octave)/step
}

// classSize returns the bytes of an item of the class.
func classSize(c int) int {
	if c < fineCount {
		return (c + 1) * fineStep
	}
	octave, part := (c-fineCount)/perOctave, (c-fineCount)%perOctave
	return fineMax<<octave + (part+1)*(fineMax<<octave/perOctave)
}

func perPage(size int) int { return max(1, pageBytes/size) }

// put copies a value into a free item of its class and returns the item.
func (s *slabs) put(value []byte) (c int, item uint64) {
	c = classOf(len(value))
	k, size := &s.classes[c], classSize(c)
	if k.free != 0 {
		item = k.free - 1
		k.free = binary.LittleEndian.Uint64(k.at(item, size))
	} else {
		item = k.next
		k.next++
		s.used += k.room(item, size)
	}
	copy(k.at(item, size), value)
	return c, item
}

// room makes a page for the item if there is none and returns the bytes it took.
func (k *class) room(item uint64, size int) int {
	per := perPage(size)
	page, place := int(item)/per, int(item)%per
	if page == len(k.pages) {
		items := per
		if page == 0 {
			items = min(per, firstItems)
		}
		k.pages = append(k.pages, make([]byte, items*size))
		return items * size
	}
	if have := len(k.pages[page]); place*size >= have {
		// Only a class's first page begins small.
		bigger := make([]byte, min(per*size, 2*have))
		copy(bigger, k.pages[page])
		k.pages[page] = bigger
		return len(bigger) - have
	}
	return 0
}

func (k *class) at(item uint64, size int) []byte {
	per := uint64(perPage(size))
	start := item % per * uint64(size)
	return k.pages[item/per][start : start+uint64(size)]
}

// get returns the first n bytes of an item.
func (s *slabs) get(c int, item uint64, n int) []byte {
	return s.classes[c].at(item, classSize(c))[:n:n]
}

// drop frees an item.
func (s *slabs) drop(c int, item uint64) {
	k := &s.classes[c]
	binary.LittleEndian.PutUint64(k.at(item, classSize(c)), k.free)
	k.free = item + 1
}
