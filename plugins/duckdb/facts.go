package duckdb

import "github.com/connect-testengine/connect-testengine/plugins/duckdb/rows"

const (
	factsTable  = "executions_fact"
	factColumns = 9
	// The columns of executions_fact that can be NULL.
	durationColumn  = 6
	startedAtColumn = 8
)

func (s *store) writeFacts(f *rows.Facts) error {
	a, err := newChunkAppender(s.native, factsTable, factColumns)
	if err != nil {
		return err
	}
	defer a.close()
	return a.append(f.Len(), func(from, to int) { fillFacts(a, f, from, to) })
}

func fillFacts(a *chunkAppender, f *rows.Facts, from, to int) {
	copy(column[int64](a, 0), f.Time[from:to])
	copy(column[uint32](a, 1), f.Suite[from:to])
	copy(column[uint32](a, 2), f.Test[from:to])
	copy(column[uint32](a, 3), f.Upload[from:to])
	copy(column[uint32](a, 4), f.Index[from:to])
	copy(column[uint8](a, 5), f.Result[from:to])
	copy(column[int64](a, durationColumn), f.Duration[from:to])
	setNulls(a, durationColumn, f.Duration[from:to], rows.NoDuration)
	copy(column[uint32](a, 7), f.TagSet[from:to])
	if len(f.StartedAt) == 0 {
		clear(a.validity(startedAtColumn))
		return
	}
	copy(column[int64](a, startedAtColumn), f.StartedAt[from:to])
	setNulls(a, startedAtColumn, f.StartedAt[from:to], 0)
}

func setNulls(a *chunkAppender, i int, values []int64, null int64) {
	var valid []uint64
	for row, v := range values {
		if v != null {
			continue
		}
		if valid == nil {
			valid = a.validity(i)
		}
		setNull(valid, row)
	}
}
