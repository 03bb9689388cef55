package decode

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumbersAreThoseOfStrconv(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	texts := []string{
		"0", "-0", "1", "-1", "0.1", "0.079605162298", "12345678", "123456789.5", "9007199254740993", "0.000000000000001",
		"6.81e-7", "1e22", "1E+300", "0.00000000000000000000000012", "123456789012345", "1234567890123456", "0.0", "100.0",
		"1795327010830", "0.3", "99999999.99999999", "4.35", "0.000001", "2.2250738585072014e-308", "5e-324",
	}
	for range 20_000 {
		texts = append(texts, strconv.FormatFloat(random.ExpFloat64()*float64(uint64(1)<<random.IntN(40)), 'f', random.IntN(18), 64))
	}
	for _, text := range texts {
		padded := []byte("[" + text + ",1234567890]")
		s := scanner{b: padded}
		end := s.number(1)
		require.Equal(t, 1+len(text), end, text)
		want, err := strconv.ParseFloat(text, 64)
		require.NoError(t, err)
		got, ok := parseNumber(padded, 1, end)
		require.True(t, ok)
		require.Equal(t, want, got, text) //nolint:testifylint // to the last bit
		w := NewWalker(padded[1:len(padded)-1], 1)
		got, ok = w.Number()
		require.True(t, ok)
		require.Equal(t, want, got, text) //nolint:testifylint // to the last bit
		require.Equal(t, len(text), w.i, "the walker stands behind it")
	}
	_, ok := parseNumber([]byte("1e999"), 0, 5)
	require.False(t, ok)
}

func TestNumbersEndWhereTheGrammarSays(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 50_000 {
		b := make([]byte, 80+random.IntN(40))
		for i := range b {
			b[i] = "0123456789012345678900.-+eE,"[random.IntN(28)]
		}
		quick, slow := scanner{b: b}, scanner{b: b}
		require.Equal(t, slow.anyNumber(0), quick.number(0), "%q", b)
		require.Equal(t, slow.err, quick.err, "%q", b)
	}
}
