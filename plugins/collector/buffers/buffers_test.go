package buffers

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestABufferHasRoomAndLittleMore(t *testing.T) {
	var p Pool
	for n := int64(0); n < 1<<31; n += n/37 + 1 {
		number, room := sizeOf(n)
		require.GreaterOrEqual(t, room, n)
		require.LessOrEqual(t, room, max(n+n/8+1, smallest), "for %d bytes", n)
		again, same := sizeOf(room)
		require.Equal(t, room, same, "room is a size itself")
		require.Equal(t, number, again)
		if n > room/2 && room > smallest {
			fewer, less := sizeOf(room - room/8 - 1)
			require.Less(t, less, room)
			require.Less(t, fewer, number, "each size has a number of its own")
		}
	}
	require.GreaterOrEqual(t, cap(p.Get(100_000)), 100_000)
}

func TestWhatIsNotOfThePoolIsLeftAlone(t *testing.T) {
	var p Pool
	p.Put(nil)
	p.Put(make([]byte, 0, 10_001))
	_, room := sizeOf(10_001)
	require.EqualValues(t, room, cap(p.Get(10_001)))
	var none *Pool
	none.Put(none.Get(10))
	require.Equal(t, 10, cap(none.Get(10)))
}
