package hold_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/chunk/hold"
)

func TestAPayloadGoesToTheSuitesPartitionAlone(t *testing.T) {
	body := strings.Repeat("x", 1000)
	mine, foreign := pieces("mine", body, 400), pieces("foreign", body, 400)
	for i := range foreign {
		foreign[i].Suite = "web"
	}
	tab := table(t)
	for offset, p := range []hold.Piece{mine[0], foreign[0], foreign[1]} {
		require.NoError(t, tab.Begin(int64(offset), 1000))
		_, lost := hold.Add(tab, limits, int64(offset), p, sum)
		require.Empty(t, lost)
	}
	hold.Divide(tab, func(_, suite string) bool { return suite == "api" })
	require.NoError(t, tab.End())
	held, _ := tab.Cell(1)
	require.EqualValues(t, 400, held, "bytes of one piece")

	require.NoError(t, tab.Begin(3, 2000))
	whole := []byte(nil)
	for _, p := range mine[1:] {
		whole, _ = hold.Add(tab, limits, 3, p, sum)
	}
	require.Equal(t, body, string(whole))
	require.NoError(t, tab.Begin(4, 1<<40))
	require.Empty(t, hold.Expire(tab, 1<<40), "nobody gives up what is another partition's")
	require.NoError(t, tab.End())
	require.Equal(t, 1, tab.Len(), "the count of bytes")
}
