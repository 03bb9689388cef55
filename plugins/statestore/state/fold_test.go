package state

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

var testLog = testengine.LogIdentity{ID: "log-a", Partitions: 1}

// change is what a processor does for one record: a function of the record alone.
func applyRecord(t *Table, record int64, seed uint64) error {
	random := rand.New(rand.NewPCG(uint64(record), seed))
	if err := t.Begin(record, 1000+record*10-random.Int64N(30)); err != nil {
		return err
	}
	for range random.IntN(12) {
		key := random.Uint64N(80)
		switch random.IntN(6) {
		case 0, 1:
			t.SetCell(key, random.Uint64()>>8)
		case 2:
			t.SetValue(key, fmt.Appendf(nil, "%d-%0*d", record, random.IntN(200), 0))
		case 3:
			t.Delete(key)
		case 4:
			t.SetTimer(key, random.Int64N(100_000))
		case 5:
			t.CancelTimer(key)
		}
	}
	return t.End()
}

// dump writes everything a table's user can see.
func dump(t *Table) string {
	text := fmt.Sprintf("T=%d n=%d", t.Time(), t.Len())
	t.Range(func(key, cell uint64, value []byte) bool {
		text += fmt.Sprintf("\n%d: %d %s %v", key, cell, value, value == nil)
		return true
	})
	t.timers.due.each(func(id, word uint64) bool {
		text += fmt.Sprintf("\ntimer %d: %d", id, cellOf(word))
		return true
	})
	id, due, ok := t.Due(1 << 40)
	return text + fmt.Sprintf("\nfirst %d %d %t", id, due, ok)
}

// folds computes the state of every prefix of the log.
type folds struct {
	t      testing.TB
	tables map[string]*Table
	states map[string][]string
}

func newFolds(t testing.TB) *folds {
	f := &folds{t: t, tables: map[string]*Table{}, states: map[string][]string{}}
	for name := range seeds {
		table, err := NewMemory().Table(context.Background(), name, 0, "")
		require.NoError(t, err)
		f.tables[name], f.states[name] = table, []string{dump(table)}
	}
	return f
}

var seeds = map[string]uint64{"a": 1, "b": 2}

func (f *folds) at(name string, next int64) string {
	for int64(len(f.states[name])) <= next {
		require.NoError(f.t, applyRecord(f.tables[name], int64(len(f.states[name]))-1, seeds[name]))
		f.states[name] = append(f.states[name], dump(f.tables[name]))
	}
	return f.states[name][next]
}

// requireFold says that the store's tables are the fold of all records below next.
func (f *folds) requireFold(s *Store, next int64) (tables map[string]*Table) {
	tables = map[string]*Table{}
	for name := range seeds {
		table, err := s.Table(f.t.Context(), name, 0, "v1")
		require.NoError(f.t, err)
		require.Equal(f.t, f.at(name, next), dump(table), "table %s at %d", name, next)
		tables[name] = table
	}
	return tables
}

func openTest(t testing.TB, d disk.Disk, o Options) *Store {
	o.Dir = "state"
	s, err := Open(d, o)
	require.NoError(t, err)
	return s
}

// process does the records [from, to) as a lane does: one table after the other.
func process(tables map[string]*Table, from, to int64) error {
	for _, name := range []string{"a", "b"} {
		for record := from; record < to; record++ {
			if err := applyRecord(tables[name], record, seeds[name]); err != nil {
				return err
			}
		}
	}
	return nil
}
