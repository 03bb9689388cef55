package hold_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/chunk/hold"
	"github.com/connect-testengine/connect-testengine/plugins/chunk/join"
	"github.com/connect-testengine/connect-testengine/plugins/stream/state"
)

var limits = hold.Limits{Bytes: 1 << 20, Pieces: 100, Timeout: 60_000, Linger: 1_000}

func sum(body []byte) string { return fmt.Sprint(len(body), string(body[:min(len(body), 8)])) }

func pieces(id, body string, size int) (all []hold.Piece) {
	count := max(1, (len(body)+size-1)/size)
	for i := range count {
		all = append(all, hold.Piece{
			ID: id, Org: "acme", Suite: "api", Index: i, Count: count, Bytes: int64(len(body)), Checksum: sum([]byte(body)),
			Content: []byte(body[i*size : min(len(body), (i+1)*size)]),
		})
	}
	return all
}

func table(t *testing.T) *state.Table {
	t.Helper()
	table, err := state.NewMemory().Table(context.Background(), "pieces", 0, "")
	require.NoError(t, err)
	return table
}

func TestAPayloadIsWholeWithItsLastPieceWhateverTheOrder(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 5))
		tab := table(t)
		bodies := map[string]string{"a": strings.Repeat("a", r.IntN(300_000)), "b": strings.Repeat("bc", r.IntN(100_000)), "empty": ""}
		var all []hold.Piece
		for _, id := range []string{"a", "b", "empty"} {
			all = append(all, pieces(id, bodies[id], 1+r.IntN(100_000)+len(bodies[id])/90)...)
		}
		all = append(all, all[r.IntN(len(all))]) // one comes twice
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		got := map[string]string{}
		for offset, p := range all {
			require.NoError(t, tab.Begin(int64(offset), 1000))
			whole, lost := hold.Add(tab, limits, int64(offset), p, sum)
			require.Empty(t, lost)
			if whole != nil {
				got[p.ID] = string(whole)
				require.Equal(t, whole, hold.Again(tab, int64(offset), p), "the record again is answered alike")
				require.Nil(t, hold.Again(tab, int64(offset)+1, p))
			}
			require.NoError(t, tab.End())
		}
		require.Equal(t, bodies, got, "seed %d", seed)
		require.NoError(t, tab.Begin(1000, 1000+limits.Linger))
		require.Empty(t, hold.Expire(tab, tab.Time()))
		require.NoError(t, tab.End())
		require.Equal(t, 1, tab.Len(), "nothing is left but the count of bytes")
		held, _ := tab.Cell(1)
		require.Zero(t, held)
	}
}

func TestWhatIsGivenUpLeavesPieceByPiece(t *testing.T) {
	two := pieces("a", strings.Repeat("x", 100), 60)
	other := two[1]
	other.Count = 3
	wrong := two[1]
	wrong.Content = []byte("another")
	for _, c := range []struct {
		name   string
		limits hold.Limits
		pieces []hold.Piece
		now    int64
		want   error
		lost   int
	}{
		{"not whole in time", limits, two[:1], 61_000, join.ErrTimeout, 1},
		{"too many bytes", hold.Limits{Bytes: 80, Pieces: 9, Timeout: 1000}, two, 0, join.ErrBudget, 2},
		{"another count", limits, []hold.Piece{two[0], other}, 0, join.ErrMismatch, 1},
		{"more pieces than allowed", hold.Limits{Bytes: 1000, Pieces: 1}, two[:1], 0, join.ErrMismatch, 1},
		{"another content", limits, []hold.Piece{two[0], wrong}, 0, join.ErrChecksum, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab := table(t)
			var lost []hold.Lost
			for offset, p := range c.pieces {
				require.NoError(t, tab.Begin(int64(offset), 1000))
				_, some := hold.Add(tab, c.limits, int64(offset), p, sum)
				lost = append(lost, some...)
				require.NoError(t, tab.End())
			}
			if c.now > 0 {
				require.NoError(t, tab.Begin(10, c.now))
				lost = append(lost, hold.Expire(tab, tab.Time())...)
				require.NoError(t, tab.End())
			}
			require.Len(t, lost, c.lost)
			for _, l := range lost {
				require.ErrorIs(t, l.Reason, c.want)
				require.Equal(t, "acme", l.Org)
			}
		})
	}
}
