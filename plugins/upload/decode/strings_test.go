package decode

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// randomByte is mostly a letter, else one of those that matter in a string or beside one that does.
func randomByte(random *rand.Rand) byte {
	const edges = "\x00\x01\x1f !\"#[\\]\x7f\x80\xa2\xdc\xff/nu09:.{}\\\"\\n"
	if random.IntN(8) > 0 {
		return 'a'
	}
	return edges[random.IntN(len(edges))]
}

func TestPlainRunsEndWhereALoopOverBytesSays(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		b := make([]byte, random.IntN(200))
		for i := range b {
			b[i] = randomByte(random)
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

func TestStringsEndWhereEncodingJSONSays(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		b := make([]byte, 1+random.IntN(200), 300)
		for i := range b {
			if b[i] = 'a'; random.IntN(3) == 0 {
				b[i] = `\\\\\\""nu0f/bx`[random.IntN(14)]
			}
		}
		b[0] = '"'
		s := scanner{b: append(b, `","",""                                                                        `...)}
		end, escaped := s.stringEnd(1)
		if s.err != nil {
			for n := range len(b) + 2 {
				require.False(t, json.Valid(s.b[:n]), "%q", s.b[:n])
			}
			continue
		}
		require.True(t, json.Valid(s.b[:end+1]), "%q", s.b[:end+1])
		require.Equal(t, string(s.b[1:end]) != mustText(t, s.b[:end+1]), escaped)
	}
}

func mustText(t *testing.T, quoted []byte) (text string) {
	t.Helper()
	require.NoError(t, json.Unmarshal(quoted, &text))
	return text
}
