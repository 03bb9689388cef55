package events

import (
	"errors"
	"strconv"
)

// powers of ten that a float64 holds exactly.
var powers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

const (
	exactMantissa = 1 << 53
	exactDigits   = 18
)

// number reads a number. Digits and a point that fit a float64 exactly need one
// division; everything else goes to the standard library.
func (s *Scanner) number() (Value, error) {
	start := s.at
	negative := s.data[s.at] == '-'
	if negative {
		s.at++
	}
	mantissa, digits := s.digits(0)
	if digits == 0 {
		return Value{}, ErrSyntax
	}
	decimals := 0
	if s.at < len(s.data) && s.data[s.at] == '.' {
		s.at++
		if mantissa, decimals = s.digits(mantissa); decimals == 0 {
			return Value{}, ErrSyntax
		}
		digits += decimals
	}
	exponent := s.at < len(s.data) && s.data[s.at]|0x20 == 'e'
	if exponent {
		s.skipWord()
	}
	token := view(s.data[start:s.at])
	if !exponent && digits <= exactDigits && mantissa < exactMantissa {
		number := float64(mantissa) / powers[decimals]
		if negative {
			number = -number
		}
		return Value{Kind: Number, Text: token, Number: number}, nil
	}
	number, err := strconv.ParseFloat(token, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return Value{}, ErrSyntax
	}
	return Value{Kind: Number, Text: token, Number: number}, nil
}

// digits reads decimal digits behind a mantissa and counts them.
func (s *Scanner) digits(mantissa uint64) (value uint64, count int) {
	start := s.at
	for s.at < len(s.data) {
		d := s.data[s.at] - '0'
		if d > 9 {
			break
		}
		mantissa = mantissa*10 + uint64(d)
		s.at++
	}
	return mantissa, s.at - start
}
