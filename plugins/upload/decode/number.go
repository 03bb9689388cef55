package decode

import (
	"math"
	"strconv"
)

// powers are the powers of ten that a float64 holds exactly.
var powers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// parseNumber reads a number that the scanner has passed over. Up to 15 digits
// and a small exponent, which is what clocks send, both parts are exact and one
// division rounds correctly; the rest is left to strconv. Too great a number is
// not ok.
func parseNumber(b []byte) (value float64, ok bool) {
	var mantissa uint64
	count, fraction, point := 0, 0, false
	for i, c := range b {
		switch {
		case c-'0' < 10:
			mantissa = mantissa*10 + uint64(c-'0')
			if mantissa != 0 {
				count++
			}
			if point {
				fraction++
			}
		case c == '.':
			point = true
		case c == '-' && i == 0:
		default:
			count = len(powers)
		}
		if count > 15 {
			return parseSlowly(b)
		}
	}
	if fraction >= len(powers) {
		return parseSlowly(b)
	}
	value = float64(mantissa) / powers[fraction]
	if b[0] == '-' {
		value = -value
	}
	return value, true
}

func parseSlowly(b []byte) (float64, bool) {
	value, err := strconv.ParseFloat(view(b), 64)
	return value, err == nil && !math.IsInf(value, 0)
}
