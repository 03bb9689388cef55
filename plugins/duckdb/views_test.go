package duckdb

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheRunsViewAddsUpItsUploads(t *testing.T) {
	db, err := sql.Open("duckdb", "")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.NoError(t, migrate(t.Context(), db))
	_, err = db.ExecContext(t.Context(), `
		INSERT INTO suites VALUES (1, 'acme', 'api', 'main', TIMESTAMP '2026-01-01', 0);
		INSERT INTO uploads (number, id, suite, log_id, partition_number, record_offset, time, received_at, format, run, run_id, run_key,
			run_key_missing, branch, commit_sha, ci, url, build_number, job_id, message, collector, collector_version, test_runner,
			language_version, tags, passed, failed, skipped, pending, unknown, bytes, received, accepted, rejected, duplicate,
			without_result, suite_errors, reported)
		SELECT n, 'up_' || n, 1, 'log', 0, n, TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-01', 'json', 7, 'run_7', 'k', FALSE, 'main', 'c',
			'', '', '', '', '', '', '', '', '', MAP {}, 3, 1, 0, 1, 0, 10, 5, 5, 0, n = 3, 0, 0, TRUE
		FROM range(1, 4) r(n);
		INSERT INTO run_events VALUES ('e1', 1, 7, 'run_7', 'k', 'opened', 0, TIMESTAMP '2026-01-01', 'main', 'c', '', 1, 5, 1),
			('e2', 1, 7, 'run_7', 'k', 'closed', 0, TIMESTAMP '2026-01-02', 'main', 'c', 'signature', 2, 10, 2)`)
	require.NoError(t, err)
	var run, event, storm string
	var uploads, executions, failed, skipped int
	require.NoError(t, db.QueryRowContext(t.Context(),
		"SELECT run_id, last_event, storm, uploads, executions::INTEGER, failed::INTEGER, skipped::INTEGER FROM runs").
		Scan(&run, &event, &storm, &uploads, &executions, &failed, &skipped))
	require.Equal(t, []any{"run_7", "closed", "signature", 2, 10, 2, 2}, []any{run, event, storm, uploads, executions, failed, skipped},
		"two uploads; the third was a duplicate")
}
