package duckdb

import (
	"context"
	"fmt"
)

// cleanedTables are the tables with a column time that age.
var cleanedTables = []string{"executions_fact", "execution_tags", "failures", "uploads", "run_events", "verdicts"}

// clean deletes what is older than the retention, counted back from the newest
// record, a day of log time at a step. Names (tests, tag sets, suites) stay:
// their numbers are in use.
func (w *writer) clean(ctx context.Context) error {
	if w.d.conf.retention == 0 {
		return nil
	}
	newest := int64(0)
	for _, mark := range w.build.Committed().Of {
		newest = max(newest, mark.Time)
	}
	before := newest - w.d.conf.retention.Microseconds()
	for _, table := range cleanedTables {
		if err := w.cleanTable(ctx, table, before); err != nil {
			return fmt.Errorf("cleaning %s: %w", table, err)
		}
	}
	return nil
}

const dayMicros = 24 * 60 * 60 * 1_000_000

func (w *writer) cleanTable(ctx context.Context, table string, before int64) error {
	for {
		var oldest *int64
		row := w.store.conn.QueryRowContext(ctx, "SELECT epoch_us(min(time)) FROM "+table) //nolint:gosec // one of our own tables
		if err := row.Scan(&oldest); err != nil {
			return err
		}
		if oldest == nil || *oldest >= before {
			return nil
		}
		step := min(*oldest+dayMicros, before)
		if err := w.store.exec(ctx, "DELETE FROM "+table+" WHERE time < ?", moment(step)); err != nil {
			return err
		}
		// Lanes that wait go in between.
		select {
		case r := <-w.d.queue:
			w.serve(ctx, w.gather(r))
		default:
		}
	}
}
