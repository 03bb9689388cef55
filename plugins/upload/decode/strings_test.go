package decode

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlainRunsEndWhereALoopOverBytesSays(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	edges := []byte{0, 1, 0x1f, ' ', '!', '"', '#', '[', '\\', ']', 0x7f, 0x80, 0xa2, 0xdc, 0xff}
	for range 20_000 {
		b := make([]byte, random.IntN(40))
		for i := range b {
			if b[i] = 'a'; random.IntN(8) == 0 {
				b[i] = edges[random.IntN(len(edges))]
			}
		}
		from := random.IntN(len(b) + 1)
		end := from
		for end < len(b) && b[end] >= ' ' && b[end] != '"' && b[end] != '\\' {
			end++
		}
		require.Equal(t, end, plain(b, from), "%q from %d", b, from)
		end = from
		for end < len(b) && b[end] >= ' ' && b[end] != '"' && b[end] != '\\' && b[end] < 0x80 {
			end++
		}
		require.Equal(t, end, regular(b, from), "%q from %d", b, from)
	}
}
