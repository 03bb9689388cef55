package panes

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumbersAreWrittenAsTheLibraryWritesThem(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		x := r.Uint64() >> r.IntN(64)
		want := binary.AppendUvarint(nil, x)
		room := make([]byte, binary.MaxVarintLen64+7)
		require.Equal(t, want, room[:putUvarint(room, x)], "%x", x)
	}
}

func TestPiecesAreFoundByTheirIds(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var p places
	var all []piece
	want := map[uint64]int32{}
	for range 20_000 {
		id := 1 + r.Uint64N(50)<<r.IntN(20) // Many share their low bits.
		i, ok := want[id]
		switch {
		case !ok:
			require.EqualValues(t, -1, p.find(all, id))
			want[id] = int32(len(all))
			all = append(all, piece{id: id})
			p.add(all)
		case r.IntN(3) == 0:
			all[i].id = 0
			delete(want, id)
		default:
			require.Equal(t, i, p.find(all, id))
		}
	}
	clear(p)
	require.EqualValues(t, -1, p.find(all, all[len(all)-1].id))
}
