//go:build goexperiment.simd && amd64

package cut

import (
	"math/bits"

	"simd/archsimd"
)

// blocks is nested for 64 bytes at a time: vector compares give a bit for each
// byte. It stops where the value may end, where backslashes follow on each
// other, and where fewer than 64 bytes are left; inside and carried are as there.
func blocks(b []byte, i, depth int, inside, carried uint64) (at, deep int, in, escape uint64) {
	if !archsimd.X86.AVX2() {
		return i, depth, inside, carried
	}
	quotes, slashes := archsimd.BroadcastUint8x32('"'), archsimd.BroadcastUint8x32('\\')
	opens, closes, cases := archsimd.BroadcastUint8x32('{'), archsimd.BroadcastUint8x32('}'), archsimd.BroadcastUint8x32(0x20)
	within := -(inside & 1)
	for ; i+64 <= len(b); i += 64 {
		low, high := archsimd.LoadUint8x32Slice(b[i:i+32]), archsimd.LoadUint8x32Slice(b[i+32:i+64])
		slash := both(low.Equal(slashes), high.Equal(slashes))
		escaped := slash<<1 | carried
		// parity is 1 in bytes inside strings and in opening quotes.
		parity := both(low.Equal(quotes), high.Equal(quotes)) &^ escaped
		parity ^= parity << 1
		parity ^= parity << 2
		parity ^= parity << 4
		parity ^= parity << 8
		parity ^= parity << 16
		parity ^= parity << 32
		parity ^= within
		low, high = low.Or(cases), high.Or(cases)
		closed := both(low.Equal(closes), high.Equal(closes)) &^ parity
		below := depth - bits.OnesCount64(closed)
		if slash&escaped != 0 || below <= 0 {
			break
		}
		depth = below + bits.OnesCount64(both(low.Equal(opens), high.Equal(opens))&^parity)
		within = uint64(int64(parity) >> 63)
		carried = slash >> 63
	}
	return i, depth, within & ones, carried
}

func both(low, high archsimd.Mask8x32) uint64 {
	return uint64(low.ToBits()) | uint64(high.ToBits())<<32
}
