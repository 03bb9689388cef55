package decode

import (
	"encoding/binary"
	"math/bits"
)

// lookBytes is how many bytes are looked at together.
const lookBytes = 64

// alike returns how many bytes of b from i on are those of text. Near the end of
// b it is 0.
func alike(b []byte, i int, text *[lookBytes]byte) int {
	if i+lookBytes > len(b) {
		return 0
	}
	if wide {
		return bits.TrailingZeros64(otherWide((*[lookBytes]byte)(b[i:]), text))
	}
	return alikeWords((*[lookBytes]byte)(b[i:]), text)
}

func alikeWords(a, b *[lookBytes]byte) int {
	for i := 0; i < lookBytes; i += 8 {
		if x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)>>3
		}
	}
	return lookBytes
}

// escaped returns which bytes stand behind a backslash that is not escaped
// itself. The backslashes of a row that begins at an odd byte are added up, which
// leaves a bit behind the row (as in Langdale and Lemire, Parsing Gigabytes of
// JSON per Second, 2019).
func escaped(slashes uint64) uint64 {
	const even = 0x5555555555555555
	follows := slashes << 1
	odd := slashes &^ even &^ follows
	return (even ^ (odd+slashes)<<1) & follows
}
