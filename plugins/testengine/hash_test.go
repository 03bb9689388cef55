package testengine_test

import (
	"math/bits"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// The values are stored in databases, state and logs: they never change.
func TestIdentitiesArePinned(t *testing.T) {
	seed := testengine.SuiteSeed("acme", "api")
	for _, test := range []struct {
		name string
		got  uint64
		want string
	}{
		{"a suite", seed, "11745d7c8d9c8d00"},
		{"a test", testengine.TestID(seed, "Invoice totals", "adds VAT once"), "77829d1bc66b1598"},
		{"a test without scope", testengine.TestID(seed, "", "adds VAT once"), "cc30bd42889734dd"},
		{"a long name", testengine.Hash(0, strings.Repeat("abcdefgh", 9)), "9eb86bcabcb96ee7"},
		{"a number", testengine.HashUint(1, 2), "aaa81a3c823f95f9"},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, testengine.FormatID(test.got)) })
	}
}

func TestHashSpreadsSmallDifferences(t *testing.T) {
	flips, pairs := 0, 0
	for length := 1; length <= 48; length++ {
		text := []byte(strings.Repeat("x", length))
		before := testengine.Hash(7, string(text))
		for i := range text {
			for bit := range 8 {
				text[i] ^= 1 << bit
				flips += bits.OnesCount64(before ^ testengine.Hash(7, string(text)))
				pairs++
				text[i] ^= 1 << bit
			}
		}
	}
	require.InDelta(t, 32, float64(flips)/float64(pairs), 0.5, "half of the bits change with any one bit of the text")
}

func TestHashTellsBordersApart(t *testing.T) {
	seen := map[uint64]string{}
	for scope := range 40 {
		for name := range 40 {
			key := strings.Repeat("a", scope) + "|" + strings.Repeat("a", name)
			id := testengine.TestID(1, strings.Repeat("a", scope), strings.Repeat("a", name))
			require.Empty(t, seen[id], "%s collides", key)
			seen[id] = key
		}
	}
}

func BenchmarkHash(b *testing.B) {
	name := strings.Repeat("Pipeline::AccountController ", 4)
	b.SetBytes(int64(len(name)))
	for b.Loop() {
		testengine.Hash(1, name)
	}
}

func TestALongRunKeyIsKeptShort(t *testing.T) {
	short, long := strings.Repeat("k", 255), strings.Repeat("é", 200)
	require.Equal(t, short, testengine.RunKey(short))
	kept := testengine.RunKey(long)
	require.LessOrEqual(t, len(kept), 255)
	require.True(t, utf8.ValidString(kept))
	require.Equal(t, kept, testengine.RunKey(kept))
	require.Equal(t, testengine.RunID(7, long), testengine.RunID(7, kept))
	require.NotEqual(t, kept, testengine.RunKey(long+"x"), "keys that begin alike are not one run")
}
