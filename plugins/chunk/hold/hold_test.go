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
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
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
	with := func(change func(*hold.Piece)) []hold.Piece {
		one := pieces("a", "x", 60)
		change(&one[0])
		return one
	}
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
		{"an id of 70 KB", limits, with(func(p *hold.Piece) { p.ID = strings.Repeat("i", 70<<10) }), 0, join.ErrNames, 1},
		{"a suite and a checksum that together are longer than allowed", limits, with(func(p *hold.Piece) {
			p.Suite, p.Checksum = strings.Repeat("s", hold.MaxNames/2), strings.Repeat("c", hold.MaxNames/2)
		}), 0, join.ErrNames, 1},
		{"a length that nobody could keep", limits, with(func(p *hold.Piece) { p.Bytes = 1 << 60 }), 0, join.ErrBudget, 1},
		{"a length below nothing", limits, with(func(p *hold.Piece) { p.Bytes = -1 }), 0, join.ErrMismatch, 1},
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

// A value that the state refuses would hold its lane for ever.
func TestTheMostPiecesWithTheLongestNamesFitIntoAValue(t *testing.T) {
	tab, most := table(t), hold.Limits{Bytes: 1 << 40, Pieces: hold.MaxPieces, Timeout: 60_000}
	one := hold.Piece{
		ID: strings.Repeat("i", hold.MaxNames-1), Org: "o", Count: hold.MaxPieces, Bytes: 1 << 40,
		Content: make([]byte, 100), Checksum: "",
	}
	for offset := range int64(hold.MaxPieces) - 1 {
		one.Index = int(offset)
		require.NoError(t, tab.Begin(offset, 1000))
		whole, lost := hold.Add(tab, most, offset, one, sum)
		require.Nil(t, whole)
		require.Empty(t, lost)
		require.NoError(t, tab.End())
	}
	longest := 0
	tab.Range(func(_, _ uint64, value []byte) bool {
		longest = max(longest, len(value))
		return true
	})
	// Lengths of 100 bytes take two of the five that the longest ones take.
	require.LessOrEqual(t, longest+3*hold.MaxPieces, state.MaxValue)
}
