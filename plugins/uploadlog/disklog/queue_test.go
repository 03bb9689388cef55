package disklog

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func asked(q *queue, owner string, bytes int) {
	q.add(&request{entries: []Entry{{Owner: owner, Body: make([]byte, bytes)}}})
}

// taken is the next group, as owner and size.
func taken(q *queue) (owners string, bytes int64) {
	var names strings.Builder
	for _, r := range q.take() {
		names.WriteString(r.entries[0].Owner)
		bytes += r.bytes
	}
	return names.String(), bytes
}

func newQueue() *queue { return &queue{lines: map[string]*line{}} }

func TestAnOwnerAloneSharesOneSyncWithHimself(t *testing.T) {
	q := newQueue()
	for range 20 {
		asked(q, "a", 1<<20)
	}
	owners, _ := taken(q)
	require.Equal(t, "aaaaaaaaaaaaaaaa", owners, "16 MB")
	owners, _ = taken(q)
	require.Equal(t, "aaaa", owners)
	owners, _ = taken(q)
	require.Empty(t, owners)
}

func TestWhoeverWritesLittleWaitsForLittle(t *testing.T) {
	q := newQueue()
	for range 20 {
		asked(q, "N", 1<<20)
	}
	for range 10 {
		asked(q, "q", 100<<10)
		asked(q, "q", 100<<10)
		owners, _ := taken(q)
		require.Equal(t, "qq", owners, "it does not wait for a megabyte more")
		owners, bytes := taken(q)
		require.Equal(t, "N", owners, "and who has brought much goes on")
		require.Equal(t, int64(1<<20), bytes)
	}
}

func TestBytesAreSharedEvenlyAndOrderIsKept(t *testing.T) {
	q := newQueue()
	for n := range 64 {
		asked(q, "a", 300<<10+n)
		asked(q, "b", 600<<10+n)
	}
	bytes, seen := map[string]int64{}, map[string]int64{}
	for range 20 {
		for _, r := range q.take() {
			owner := r.entries[0].Owner
			require.Greater(t, r.bytes, seen[owner], "in the order in which they came")
			seen[owner] = r.bytes
			bytes[owner] += r.bytes
		}
	}
	require.InDelta(t, 1, float64(bytes["a"])/float64(bytes["b"]), 0.1)
}

func TestNothingIsSavedUp(t *testing.T) {
	q := newQueue()
	for range 10 {
		asked(q, "a", 1<<20)
		taken(q)
	}
	for range 4 {
		asked(q, "b", 1<<20)
		asked(q, "a", 1<<20)
	}
	var order strings.Builder
	for range 8 {
		owners, _ := taken(q)
		order.WriteString(owners)
	}
	require.Equal(t, "babababa", order.String())
	require.LessOrEqual(t, len(q.lines), 2)
}
