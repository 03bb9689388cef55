//go:build goexperiment.simd && amd64

package multipart

import (
	"bytes"
	"math/bits"
)

import "simd/archsimd"

const lookBytes = 64

// find returns where the delimiter stands at the beginning of a line, from there
// on, or -1.
func find(body []byte, from int, delimiter []byte) int {
	if archsimd.X86.AVX512() {
		return findWide(body, from, delimiter)
	}
	return findBytes(body, from, delimiter)
}

// findWide is find for vectors of 64 bytes: it looks for lines that begin with a
// dash. Files are full of dashes, and full of lines, but seldom of both together.
func findWide(body []byte, from int, delimiter []byte) int {
	if atLine(body, from) && bytes.HasPrefix(body[from:], delimiter) {
		return from
	}
	defer archsimd.ClearAVXUpperBits()
	ends, dashes := archsimd.BroadcastUint8x64('\n'), archsimd.BroadcastUint8x64('-')
	for ; from+lookBytes < len(body); from += lookBytes {
		these := archsimd.LoadUint8x64((*[lookBytes]byte)(body[from:])).Equal(ends)
		next := archsimd.LoadUint8x64((*[lookBytes]byte)(body[from+1:])).Equal(dashes)
		for lines := these.ToBits() & next.ToBits(); lines != 0; lines &= lines - 1 {
			at := from + bits.TrailingZeros64(lines) + 1
			if bytes.HasPrefix(body[at:], delimiter) {
				return at
			}
		}
	}
	return findBytes(body, from, delimiter)
}
