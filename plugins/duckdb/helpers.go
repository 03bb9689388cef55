package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
)

// helpers are DuckDB's own threads. They are there while questions are asked, and
// only then. A statement whose work such a thread has taken asks again and again
// whether it is done (PendingQueryResult::ExecuteInternal of DuckDB 1.5.5), so a
// writer with a helper takes two cores for the work of one.
type helpers struct {
	// threads is how many a question has, its own included.
	threads int

	mu     sync.Mutex
	asking int
}

// come gives the questions that are being asked their helpers.
func (h *helpers) come(ctx context.Context, db *sql.DB) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.asking++; h.asking > 1 || h.threads == 1 {
		return nil
	}
	return setThreads(ctx, db, h.threads)
}

// leave is called once for each come. The last question sends them home.
func (h *helpers) leave(ctx context.Context, db *sql.DB) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.asking--; h.asking > 0 || h.threads == 1 {
		return nil
	}
	return setThreads(context.WithoutCancel(ctx), db, 1)
}

func setThreads(ctx context.Context, db *sql.DB, n int) error {
	if _, err := db.ExecContext(ctx, fmt.Sprintf("SET threads = %d", n)); err != nil {
		return fmt.Errorf("giving questions their threads: %w", err)
	}
	return nil
}
