package duckdb

import (
	"context"
	"fmt"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/duckdb/slicesql"
)

// Slice computes measures over groups of executions (query.Store).
func (d *Database) Slice(ctx context.Context, s query.Slice) (query.Table, error) {
	table := query.Table{Columns: s.Columns(), Rows: [][]any{}}
	err := d.ask(ctx, func(r reader) error {
		scope, ok, err := r.scope(s.SuiteKey)
		if err != nil || !ok {
			return err
		}
		statement := slicesql.Compile(&s, scope)
		cells := make([]any, len(table.Columns))
		into := make([]any, len(cells))
		for i := range cells {
			into[i] = &cells[i]
		}
		return r.each(statement.SQL, statement.Args, into, func() error {
			if s.Limit > 0 && len(table.Rows) == s.Limit {
				table.Truncated = true
				return nil
			}
			row := make([]any, len(cells))
			for i, cell := range cells {
				if row[i], err = sliceCell(cell); err != nil {
					return err
				}
			}
			table.Rows = append(table.Rows, row)
			return nil
		})
	})
	return table, err
}

// sliceCell makes a cell of query.Table: string, int64, float64 or nil.
func sliceCell(cell any) (any, error) {
	switch v := cell.(type) {
	case nil, string, int64, float64:
		return v, nil
	case []byte:
		return string(v), nil
	default:
		return nil, fmt.Errorf("reading the database's answer: a cell is a %T", cell)
	}
}

// TagKeys lists the keys of tags, the most used first (query.Store).
func (d *Database) TagKeys(ctx context.Context, suite query.SuiteKey, within query.Range) (keys []string, err error) {
	err = d.ask(ctx, func(r reader) error {
		scope, ok, err := r.scope(suite)
		if err != nil || !ok {
			return err
		}
		var key string
		return r.each(slicesql.TagKeys(within, scope), nil, []any{&key}, func() error {
			keys = append(keys, key)
			return nil
		})
	})
	return keys, err
}

// TagValues lists values of a key, the most used first (query.Store).
func (d *Database) TagValues(ctx context.Context, suite query.SuiteKey, key, prefix string, limit int) (values []string, err error) {
	if key == query.KeyDay || key == query.KeyHour {
		return nil, nil
	}
	table, err := d.Slice(ctx, query.Slice{
		SuiteKey: suite, Measures: []query.Measure{query.Executions}, By: []string{key}, Limit: limit,
		Filter: query.Filter{{Key: key, Value: prefix, Match: query.MatchPrefix}, {Key: key, Not: true}},
	})
	for _, row := range table.Rows {
		value, _ := row[0].(string)
		values = append(values, value)
	}
	return values, err
}
