//go:build goexperiment.simd && amd64

package cut

import "simd/archsimd"

// look makes the marks of a part of a document, with what the machine has.
func look(b *[windowBytes]byte, into *[windowMarks]marks) {
	switch {
	case archsimd.X86.AVX512():
		lookWide(b, into)
	case archsimd.X86.AVX2():
		lookVectors(b, into)
	default:
		lookWords(b, into)
	}
}

// lookWide is look for vectors of 64 bytes (AVX-512).
func lookWide(b *[windowBytes]byte, into *[windowMarks]marks) {
	quotes, slashes := archsimd.BroadcastUint8x64('"'), archsimd.BroadcastUint8x64('\\')
	opens, closes, cases := archsimd.BroadcastUint8x64('{'), archsimd.BroadcastUint8x64('}'), archsimd.BroadcastUint8x64(0x20)
	for n := range into {
		bytes := archsimd.LoadUint8x64((*[64]byte)(b[n*64:]))
		folded := bytes.Or(cases)
		into[n] = marks{
			quotes:  bytes.Equal(quotes).ToBits(),
			slashes: bytes.Equal(slashes).ToBits(),
			opens:   folded.Equal(opens).ToBits(),
			closes:  folded.Equal(closes).ToBits(),
		}
	}
}

// lookVectors is look for vectors of 32 bytes (AVX2).
func lookVectors(b *[windowBytes]byte, into *[windowMarks]marks) {
	quotes, slashes := archsimd.BroadcastUint8x32('"'), archsimd.BroadcastUint8x32('\\')
	opens, closes, cases := archsimd.BroadcastUint8x32('{'), archsimd.BroadcastUint8x32('}'), archsimd.BroadcastUint8x32(0x20)
	for n := range into {
		low, high := archsimd.LoadUint8x32((*[32]byte)(b[n*64:])), archsimd.LoadUint8x32((*[32]byte)(b[n*64+32:]))
		m := &into[n]
		m.quotes = both(low.Equal(quotes), high.Equal(quotes))
		m.slashes = both(low.Equal(slashes), high.Equal(slashes))
		low, high = low.Or(cases), high.Or(cases)
		m.opens = both(low.Equal(opens), high.Equal(opens))
		m.closes = both(low.Equal(closes), high.Equal(closes))
	}
}

func both(low, high archsimd.Mask8x32) uint64 {
	return uint64(low.ToBits()) | uint64(high.ToBits())<<32
}
