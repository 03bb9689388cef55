//go:build goexperiment.simd && amd64

package decode

import "simd/archsimd"

// wide says that the machine has vectors of 64 bytes (AVX-512); where it has not,
// words do. Vectors of 32 bytes (AVX2) were 5 % slower than these.
var wide = archsimd.X86.AVX512()

// Each of these marks bytes: bit n is for byte n.

// otherWide marks the bytes of a that are not those of b.
func otherWide(a, b *[lookBytes]byte) uint64 {
	return ^archsimd.LoadUint8x64(a).Equal(archsimd.LoadUint8x64(b)).ToBits()
}

// oddWide marks quotes, backslashes, control characters and what is no ASCII.
func oddWide(b *[lookBytes]byte) uint64 {
	bytes := archsimd.LoadUint8x64(b)
	return bytes.AsInt8x64().Less(archsimd.BroadcastInt8x64(' ')).ToBits() |
		bytes.Equal(archsimd.BroadcastUint8x64('"')).ToBits() |
		bytes.Equal(archsimd.BroadcastUint8x64('\\')).ToBits()
}

// noDigitsWide marks what is no digit.
func noDigitsWide(b *[lookBytes]byte) uint64 {
	digits := archsimd.LoadUint8x64(b).Sub(archsimd.BroadcastUint8x64('0'))
	return digits.Greater(archsimd.BroadcastUint8x64(9)).ToBits()
}

// bracketsWide marks quotes, backslashes, and brackets of either kind that open and close.
func bracketsWide(b *[lookBytes]byte) (quotes, slashes, opening, closing uint64) {
	bytes := archsimd.LoadUint8x64(b)
	curly := bytes.Or(archsimd.BroadcastUint8x64('{' ^ '[')) // The kinds differ in this bit.
	return bytes.Equal(archsimd.BroadcastUint8x64('"')).ToBits(), bytes.Equal(archsimd.BroadcastUint8x64('\\')).ToBits(),
		curly.Equal(archsimd.BroadcastUint8x64('{')).ToBits(), curly.Equal(archsimd.BroadcastUint8x64('}')).ToBits()
}

// escapesWide marks, in a part of a string that begins with a backslash, where it
// is no longer regular but for escapes of one letter: the lowest mark is exact. A
// backslash that is the last byte is marked.
func escapesWide(b *[lookBytes]byte) uint64 {
	bytes := archsimd.LoadUint8x64(b)
	quotes := bytes.Equal(archsimd.BroadcastUint8x64('"')).ToBits()
	slashes := bytes.Equal(archsimd.BroadcastUint8x64('\\')).ToBits()
	letters := escaped(slashes)
	stops := bytes.AsInt8x64().Less(archsimd.BroadcastInt8x64(' ')).ToBits() | quotes&^letters
	if others := letters &^ (quotes | slashes); others != 0 {
		known := bytes.Equal(archsimd.BroadcastUint8x64('n')).Or(bytes.Equal(archsimd.BroadcastUint8x64('t'))).
			Or(bytes.Equal(archsimd.BroadcastUint8x64('/'))).Or(bytes.Equal(archsimd.BroadcastUint8x64('r'))).
			Or(bytes.Equal(archsimd.BroadcastUint8x64('b'))).Or(bytes.Equal(archsimd.BroadcastUint8x64('f')))
		stops |= others &^ known.ToBits() >> 1
	}
	const last = 1 << (lookBytes - 1)
	return stops | slashes&^letters&last
}
