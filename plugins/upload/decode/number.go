package decode

import (
	"encoding/binary"
	"math"
	"strconv"
)

// powers are the powers of ten that a float64 holds exactly.
var powers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// parseNumber reads the number that the scanner has passed over from i to end.
// Up to 15 digits, which is what clocks send, number and power of ten are both
// exact and one division rounds correctly; the rest is left to strconv. Too
// great a number is not ok.
func parseNumber(b []byte, i, end int) (value float64, ok bool) {
	start := i
	negative := b[i] == '-'
	if negative {
		i++
	}
	point := digits(b, i)
	mantissa := decimal(b, 0, i, point)
	count, fraction := point-i, 0
	if point < end && b[point] == '.' {
		after := digits(b, point+1)
		fraction = after - point - 1
		mantissa = decimal(b, mantissa, point+1, after)
		if mantissa != 0 && b[i] == '0' {
			count = 0
		}
		count += fraction
		point = after
	}
	if point != end || count > 15 {
		return parseSlowly(b[start:end])
	}
	value = float64(mantissa) / powers[fraction]
	if negative {
		value = -value
	}
	return value, true
}

// decimal adds the digits from i to end to a number, eight at a time.
func decimal(b []byte, number uint64, i, end int) uint64 {
	for i+8 <= end {
		number = number*100000000 + eight(binary.LittleEndian.Uint64(b[i:])^zeros)
		i += 8
	}
	if i < end && i+8 <= len(b) {
		n := end - i
		return number*uint64(powers[n]) + eight((binary.LittleEndian.Uint64(b[i:])^zeros)<<(64-8*n))
	}
	for ; i < end; i++ {
		number = number*10 + uint64(b[i]-'0')
	}
	return number
}

const zeros = 0x3030303030303030

// eight is the number of eight digits, the first of them in the lowest byte.
func eight(w uint64) uint64 {
	w = w*10 + w>>8
	return (w&0x000000ff000000ff*(100+1000000<<32) + w>>16&0x000000ff000000ff*(1+10000<<32)) >> 32
}

func parseSlowly(b []byte) (float64, bool) {
	value, err := strconv.ParseFloat(view(b), 64)
	return value, err == nil && !math.IsInf(value, 0)
}
