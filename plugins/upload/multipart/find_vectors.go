//go:build goexperiment.simd && amd64

package multipart

import "simd/archsimd"

// dashedLines goes on, lookBytes at a time, until a line ends there and the next
// begins with a dash: a bit of lines is such a line end, counted from ahead.
// Without a bit, nothing before ahead is one.
func dashedLines(body []byte, from int) (ahead int, lines uint64) {
	if !archsimd.X86.AVX512() {
		return from, 0
	}
	defer archsimd.ClearAVXUpperBits()
	ends, dashes := archsimd.BroadcastUint8x64('\n'), archsimd.BroadcastUint8x64('-')
	for ; from+lookBytes < len(body); from += lookBytes {
		these := archsimd.LoadUint8x64((*[lookBytes]byte)(body[from:])).Equal(ends)
		next := archsimd.LoadUint8x64((*[lookBytes]byte)(body[from+1:])).Equal(dashes)
		if lines = these.ToBits() & next.ToBits(); lines != 0 {
			break
		}
	}
	return from, lines
}
