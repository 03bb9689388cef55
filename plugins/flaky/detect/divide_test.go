package detect_test

import (
	"math"
	"slices"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/detect"
)

// divided is a lane that goes on with what another one knows of some suites.
func divided(t *testing.T, from *playing, mine func(org, suite string) bool) *playing {
	t.Helper()
	p := newPlaying(t)
	p.now = from.now
	require.NoError(t, p.table.Begin(0, p.now))
	from.table.Range(func(key, cell uint64, value []byte) bool {
		if value == nil {
			p.table.SetCell(key, cell)
		} else {
			p.table.SetValue(key, value)
		}
		return true
	})
	from.table.Timers(func(id uint64, due int64) bool {
		p.table.SetTimer(id, due)
		return true
	})
	detect.Divide(p.table, mine)
	require.NoError(t, p.table.End())
	p.offset = 1
	return p
}

func timersOf(p *playing) (due []int64) {
	p.table.Timers(func(_ uint64, at int64) bool {
		due = append(due, at)
		return true
	})
	slices.Sort(due)
	return due
}

// TestADividedStateSaysWhatTheWholeWouldHave divides a lane of six suites in the
// middle of their runs: each half goes on with its own suites, and together they
// say what the lane would have said.
func TestADividedStateSaysWhatTheWholeWouldHave(t *testing.T) {
	var uploads []worldUpload
	for n, name := range []string{"one", "two", "three", "four", "five", "six"} {
		uploads = append(uploads, smallWorld(name, uint64(20+n))...)
	}
	sort.SliceStable(uploads, func(i, j int) bool { return uploads[i].at < uploads[j].at })
	isFirst := func(_, suite string) bool { return suite < "p" }
	for _, cut := range []int{0, len(uploads) / 3, len(uploads) - 40} {
		whole := newPlaying(t)
		for i := range uploads[:cut] {
			whole.upload(&uploads[i], 2000)
		}
		first := divided(t, whole, isFirst)
		second := divided(t, whole, func(org, suite string) bool { return !isFirst(org, suite) })
		require.Equal(t, timersOf(whole), sortedTimes(append(timersOf(first), timersOf(second)...)), "each timer fires in one of them")
		if cut > 0 {
			require.Less(t, first.table.Bytes(), whole.table.Bytes(), "what is dropped is gone")
		}
		before := len(whole.said)
		for i := range uploads[cut:] {
			u := &uploads[cut+i]
			whole.upload(u, 2000)
			half := second
			if isFirst(u.upload.Org, u.upload.Suite) {
				half = first
			}
			half.upload(u, 2000)
		}
		end := max(first.now, second.now)
		first.now, second.now = end, end
		want := whole.finish()[before:]
		require.NotEmpty(t, want)
		require.Equal(t, sortedWithout(want), sortedWithout(append(first.finish(), second.finish()...)), "divided after %d of %d uploads", cut, len(uploads))
	}
}

func sortedTimes(due []int64) []int64 {
	slices.Sort(due)
	return due
}

// TestPassesThatLookLikeASuiteAreKept has values without a kind in front.
func TestPassesThatLookLikeASuiteAreKept(t *testing.T) {
	p := newPlaying(t)
	require.NoError(t, p.table.Begin(0, 1))
	for n, kind := range []byte("SRT") {
		looks := make([]byte, 64)
		for i := range looks {
			looks[i] = math.MaxUint8
		}
		looks[0] = kind
		p.table.SetValue(uint64(100+n), looks)
	}
	detect.Divide(p.table, func(string, string) bool { return false })
	require.NoError(t, p.table.End())
	require.Equal(t, 3, p.table.Len())
}
