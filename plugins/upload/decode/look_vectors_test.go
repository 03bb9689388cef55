//go:build goexperiment.simd && amd64

package decode

import (
	"math/bits"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/bodies"
)

// without runs f as on a machine without vectors.
func without(f func()) {
	defer func(had bool) { wide = had }(wide)
	wide = false
	f()
}

func TestVectorsSeeWhatWordsSee(t *testing.T) {
	if !wide {
		t.Log("this machine has no AVX-512: words alone are tested")
		return
	}
	random := rand.New(rand.NewPCG(5, 6))
	for range 50_000 {
		var a, b [lookBytes]byte
		for i := range a {
			a[i] = randomByte(random)
			b[i] = a[i]
		}
		b[random.IntN(lookBytes)] ^= byte(random.IntN(2))
		require.Equal(t, alikeWords(&a, &b), bits.TrailingZeros64(otherWide(&a, &b)), "%q %q", a, b)
		require.Equal(t, regularWords(a[:], 0), bits.TrailingZeros64(oddWide(&a)), "%q", a)
		require.Equal(t, digits(a[:], 0), bits.TrailingZeros64(noDigitsWide(&a)), "%q", a)
		quotes, slashes, opening, closing := bracketsWide(&a)
		require.Equal(t, [...]uint64{marks(&a, `"`), marks(&a, `\`), marks(&a, "{["), marks(&a, "}]")}, [...]uint64{quotes, slashes, opening, closing}, "%q", a)
	}
}

// marks has a bit for each byte that is one of these.
func marks(b *[lookBytes]byte, these string) (marks uint64) {
	for i, c := range b {
		if strings.IndexByte(these, c) >= 0 {
			marks |= 1 << i
		}
	}
	return marks
}

// A part of a string that vectors pass over is passed over by words too, and is
// not left while words would go on, but at a backslash that is the last byte.
func TestVectorsPassOverTheEscapesThatWordsPassOver(t *testing.T) {
	if !wide {
		t.Log("this machine has no AVX-512: words alone are tested")
		return
	}
	random := rand.New(rand.NewPCG(7, 8))
	for range 50_000 {
		var b [lookBytes]byte
		for i := range b {
			b[i] = randomByte(random)
		}
		b[0] = '\\'
		want := 0
		for want < lookBytes {
			if regular := regularWords(b[:], want); regular > want {
				want = regular
			} else if want+1 < lookBytes && b[want] == '\\' && shortEscape[b[want+1]] {
				want += 2
			} else {
				break
			}
		}
		require.Equal(t, want, bits.TrailingZeros64(escapesWide(&b)), "%q", b)
	}
}

func TestUploadsAreDecodedAlikeWithAndWithoutVectors(t *testing.T) {
	for _, kind := range []bodies.Kind{bodies.Small, bodies.MB1} {
		for seed := range uint64(3) {
			body := bodies.Generate(seed, kind)
			with, err := feed(body, limitsOf(assemble.KeepAll))
			require.NoError(t, err)
			without(func() {
				words, err := feed(body, limitsOf(assemble.KeepAll))
				require.NoError(t, err)
				require.Equal(t, words, with)
			})
		}
	}
}
