package multipart

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// A loop over bytes says where the delimiter stands, for whatever the machine has.
func TestADelimiterIsFoundAtTheBeginningOfALine(t *testing.T) {
	delimiter := []byte("--x-")
	slow := func(body []byte, from int) int {
		for at := from; at+len(delimiter) <= len(body); at++ {
			if (at == 0 || body[at-1] == '\n') && string(body[at:at+len(delimiter)]) == string(delimiter) {
				return at
			}
		}
		return -1
	}
	pieces := []string{"\n", "-", "\n-", "\n--", "--x-", "\n--x-", "x", "{\"a\": 1}", "\r\n"}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var body []byte
		for range random.IntN(60) {
			piece := pieces[random.IntN(len(pieces))]
			if piece == "\n--x-" && random.IntN(4) > 0 {
				piece = "a line"
			}
			body = append(body, piece...)
		}
		from := random.IntN(len(body) + 1)
		want := slow(body, from)
		require.Equal(t, want, find(body, from, delimiter), "%q from %d", body, from)
		require.Equal(t, want, findBytes(body, from, delimiter), "%q from %d", body, from)
	}
}
