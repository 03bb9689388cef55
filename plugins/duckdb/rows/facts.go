// Package rows turns blocks, reports, runs and verdicts into the rows of the
// DuckDB tables: executions become columns of numbers, everything with strings
// is interned or goes to a small table beside them. It also decides, by
// watermark, what is stored already. It knows no database.
package rows

import (
	"math"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// NoDuration marks an execution that was sent without a duration.
const NoDuration = math.MinInt64

const (
	microsPerSecond = 1e6
	microsPerMilli  = 1000
	// maxMicros bounds durations to 30,000 years, so that any sum of them fits.
	maxMicros = 1e18
)

// Facts are executions by column. All slices have one length, but StartedAt is
// empty while no execution has a real clock.
type Facts struct {
	// Time and StartedAt are unix microseconds; StartedAt is 0 where there is none.
	Time      []int64
	Suite     []uint32
	Test      []uint32
	Upload    []uint32
	Index     []uint32
	Result    []uint8
	Duration  []int64 // microseconds or NoDuration
	TagSet    []uint32
	StartedAt []int64
}

// Len is the number of executions.
func (f *Facts) Len() int { return len(f.Time) }

func (f *Facts) reset() {
	f.Time, f.Suite, f.Test, f.Upload = f.Time[:0], f.Suite[:0], f.Test[:0], f.Upload[:0]
	f.Index, f.Result, f.Duration, f.TagSet = f.Index[:0], f.Result[:0], f.Duration[:0], f.TagSet[:0]
	f.StartedAt = f.StartedAt[:0]
}

// grow appends n executions of one upload whose other columns the caller sets,
// and returns the place of the first.
func (f *Facts) grow(n int, time int64, suite, upload uint32) int {
	first := f.Len()
	for range n {
		f.Time = append(f.Time, time)
		f.Suite = append(f.Suite, suite)
		f.Upload = append(f.Upload, upload)
	}
	f.Test = extend(f.Test, n)
	f.Index = extend(f.Index, n)
	f.Result = extend(f.Result, n)
	f.Duration = extend(f.Duration, n)
	f.TagSet = extend(f.TagSet, n)
	if len(f.StartedAt) > 0 {
		f.StartedAt = append(f.StartedAt, make([]int64, n)...)
	}
	return first
}

// startAt sets the real start of one execution.
func (f *Facts) startAt(place int, unixMilli int64) {
	if len(f.StartedAt) == 0 {
		f.StartedAt = append(f.StartedAt, make([]int64, f.Len())...)
	}
	f.StartedAt[place] = unixMilli * microsPerMilli
}

func extend[T any](s []T, n int) []T {
	if cap(s)-len(s) >= n {
		return s[:len(s)+n]
	}
	return append(s, make([]T, n)...)
}

func micros(e *testengine.Execution) int64 {
	switch d := e.Duration * microsPerSecond; {
	case !e.HasDuration, math.IsNaN(d):
		return NoDuration
	case d > maxMicros:
		return maxMicros
	case d < -maxMicros:
		return -maxMicros
	default:
		return int64(math.Round(d))
	}
}
