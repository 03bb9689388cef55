package cut

import (
	"encoding/binary"
	"math/bits"
)

const (
	// markedBytes is how many bytes one marks tells of, windowMarks how many of them are made at a time.
	markedBytes = 64
	windowMarks = 8
	windowBytes = windowMarks * markedBytes
)

// marks tell of 64 bytes which of them are quotes, backslashes and brackets: bit
// n is for byte n. Of { and [ nothing tells apart, nor of } and ].
type marks struct{ quotes, slashes, opens, closes uint64 }

// window is the marks of the part of a document that was looked at last.
type window struct {
	marks [windowMarks]marks
	// begin is where the part begins; the zero window is none, for length is 0.
	begin, length int
}

// at returns the marks of the 64 bytes that begin at i, a multiple of 64. What
// stands behind the end of b has none.
func (w *window) at(b []byte, i int) *marks {
	if uint(i-w.begin) >= uint(w.length) {
		w.begin, w.length = i&^(windowBytes-1), windowBytes
		part := b[w.begin:]
		if len(part) >= windowBytes {
			look((*[windowBytes]byte)(part), &w.marks)
		} else {
			var last [windowBytes]byte
			copy(last[:], part)
			look(&last, &w.marks)
		}
	}
	return &w.marks[(i-w.begin)/markedBytes]
}

const (
	ones    = 0x0101010101010101
	lows    = 0x7f7f7f7f7f7f7f7f
	quotes  = 0x22 * ones
	slashes = 0x5c * ones
	cases   = 0x20 * ones
	opens   = 0x7b * ones
	closes  = 0x7d * ones
)

// lookWords is look for any machine: eight bytes at a time.
func lookWords(b *[windowBytes]byte, into *[windowMarks]marks) {
	for n := range into {
		var m marks
		for i := 0; i < markedBytes; i += 8 {
			word := binary.LittleEndian.Uint64(b[n*markedBytes+i:])
			folded := word | cases
			m.quotes |= equal(word, quotes) << i
			m.slashes |= equal(word, slashes) << i
			m.opens |= equal(folded, opens) << i
			m.closes |= equal(folded, closes) << i
		}
		into[n] = m
	}
}

// equal has a bit for each byte of the word that equals that of the pattern.
func equal(word, pattern uint64) uint64 {
	const gather = 0x0102040810204080 // brings the lowest bits of eight bytes together in the highest byte
	x := word ^ pattern
	return (^((x&lows + lows) | x) >> 7 & ones) * gather >> 56
}

// escaped returns which bytes stand behind a backslash that is not escaped
// itself. carried is 1 when the first byte does, and is then so for the next 64.
// The backslashes of a row that begins at an odd byte are added up, which leaves
// a bit behind the row (as in Langdale and Lemire, Parsing Gigabytes of JSON per
// Second, 2019).
func escaped(slashes, carried uint64) (behind, carry uint64) {
	const even = 0x5555555555555555
	slashes &^= carried
	follows := slashes<<1 | carried
	odd := slashes &^ even &^ follows
	sum, carry := bits.Add64(odd, slashes, 0)
	return (even ^ sum<<1) & follows, carry
}

// inStrings returns which bytes stand in strings, their opening quotes included.
// within is all ones when the first byte does.
func inStrings(quotes, within uint64) uint64 {
	quotes ^= quotes << 1
	quotes ^= quotes << 2
	quotes ^= quotes << 4
	quotes ^= quotes << 8
	quotes ^= quotes << 16
	quotes ^= quotes << 32
	return quotes ^ within
}
