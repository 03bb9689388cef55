package cut

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// What vectors and words see is what a look at each byte sees.
func TestMarksAreThoseOfEachByte(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		var part [windowBytes]byte
		for i := range part {
			if part[i] = byte(r.Uint32()); r.IntN(2) == 0 {
				part[i] = "\"\\{}[]\x02\xa2\xdc\xfb\xfd"[r.IntN(11)]
			}
		}
		var want [windowMarks]marks
		for i, c := range part {
			m, bit := &want[i/markedBytes], uint64(1)<<(i%markedBytes)
			switch c {
			case '"':
				m.quotes |= bit
			case '\\':
				m.slashes |= bit
			case '{', '[':
				m.opens |= bit
			case '}', ']':
				m.closes |= bit
			}
		}
		for name, look := range looks() {
			var got [windowMarks]marks
			look(&part, &got)
			require.Equal(t, want, got, "seed %d, %s", seed, name)
		}
	}
}

func TestWhatIsEscapedIsSeenOverTheEndsOfParts(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 4))
		text := make([]byte, 4*markedBytes)
		for i := range text {
			if text[i] = 'x'; r.IntN(3) > 0 {
				text[i] = '\\'
			}
		}
		var carried uint64
		isEscaped := false
		for begin := 0; begin < len(text); begin += markedBytes {
			var slashes, want, got uint64
			for i, c := range text[begin : begin+markedBytes] {
				if isEscaped {
					want |= 1 << i
				}
				if c == '\\' {
					slashes |= 1 << i
				}
				isEscaped = c == '\\' && !isEscaped
			}
			got, carried = escaped(slashes, carried)
			require.Equal(t, want, got, "seed %d", seed)
		}
	}
}
