package duckdb

import (
	"context"
	"fmt"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/duckdb/slicesql"
)

// closeAfterMillis ends a run about which there are no events (a pipeline
// without detection) when nothing came for that long.
const closeAfterMillis = 2 * 60 * 1000

// runsSelect reads runs from their uploads and events. The words in %s are
// conditions: on uploads, and on the runs. The rows of one upload that came
// through several topics have its place in the log in common.
const runsSelect = `WITH r AS (
	SELECT
		u.suite, u.run_id, max(u.run) AS run, max(u.run_key) AS run_key,
		coalesce(arg_min(u.branch, u.number) FILTER (WHERE u.branch <> ''), '') AS branch,
		coalesce(arg_min(u.commit_sha, u.number) FILTER (WHERE u.commit_sha <> ''), '') AS commit_sha,
		coalesce(arg_min(u.url, u.number) FILTER (WHERE u.url <> ''), '') AS url,
		coalesce(arg_min(u.build_number, u.number) FILTER (WHERE u.build_number <> ''), '') AS build_number,
		coalesce(arg_min(u.message, u.number) FILTER (WHERE u.message <> ''), '') AS message,
		coalesce(arg_min(u.ci, u.number) FILTER (WHERE u.ci <> ''), '') AS ci,
		min(u.time) AS first_upload, max(u.time) AS last_upload, min(u.number) AS first_number,
		count(DISTINCT hash(u.log_id, u.partition_number, u.record_offset, CASE WHEN u.record_offset < 0 THEN u.number END)) AS uploads,
		sum(u.passed)::BIGINT AS passed, sum(u.failed)::BIGINT AS failed, sum(u.skipped)::BIGINT AS skipped,
		sum(u.pending)::BIGINT AS pending, sum(u.unknown)::BIGINT AS unknown, sum(u.received) AS received
	FROM uploads u WHERE NOT u.duplicate AND u.run_id <> '' AND %s
	GROUP BY u.suite, u.run_id
), e AS (
	SELECT
		suite, run,
		arg_max(event, generation * 2 + (event = 'closed')::INTEGER) AS event,
		coalesce(arg_max(storm, generation) FILTER (WHERE event = 'closed'), '') AS storm
	FROM run_events GROUP BY suite, run
), a AS MATERIALIZED (
	SELECT
		r.*, coalesce(e.storm, '') AS storm,
		CASE
			WHEN e.event IS NOT NULL THEN e.event <> 'closed'
			ELSE epoch_ms(r.last_upload) + %d > coalesce((SELECT epoch_ms(max(time)) FROM watermarks), 0)
		END AS running
	FROM r LEFT JOIN e ON e.suite = r.suite AND e.run = r.run
)
SELECT
	s.org, s.suite, a.run_id, a.run_key, a.branch, a.commit_sha, a.url, a.build_number, a.message, a.ci, a.running,
	epoch_ms(a.first_upload), epoch_ms(a.last_upload), a.uploads, a.passed, a.failed, a.skipped, a.pending, a.unknown, a.storm,
	(SELECT count(*) FROM a WHERE %s)
FROM a JOIN suites s ON s.number = a.suite
WHERE %s
ORDER BY a.first_upload DESC, a.first_number DESC`

func (r reader) runs(uploads, conditions, rest string, args []any) (list []query.Run, total int, err error) {
	var run query.Run
	var running bool
	c := &run.Counts
	err = r.each(fmt.Sprintf(runsSelect, uploads, closeAfterMillis, conditions, conditions)+rest, args, []any{
		&run.Org, &run.Suite, &run.ID, &run.Key, &run.Branch, &run.CommitSHA, &run.URL, &run.Number, &run.Message, &run.CI, &running,
		&run.FirstUploadAt, &run.LastUploadAt, &run.Uploads, &c.Passed, &c.Failed, &c.Skipped, &c.Pending, &c.Unknown, &run.Storm, &total,
	}, func() error {
		run.State = query.RunFinished
		if running {
			run.State = query.RunRunning
		}
		list = append(list, run)
		return nil
	})
	return list, total, err
}

// runResults are Run.Result as conditions.
var runResults = map[string]string{ //nolint:gosec // SQL, no secret
	"failed":  "a.failed > 0",
	"pending": "a.failed = 0 AND (a.running OR a.passed = 0)",
	"passed":  "a.failed = 0 AND NOT a.running AND a.passed > 0",
}

// Runs lists runs, newest first (query.Store). Uploads without executions alone
// are none: collectors send them when no test was selected.
func (d *Database) Runs(ctx context.Context, q query.RunQuery) (page query.Page[query.Run], err error) {
	page.Items = []query.Run{}
	err = d.ask(ctx, func(r reader) error {
		scope, ok, err := r.scope(q.SuiteKey)
		if err != nil || !ok {
			return err
		}
		var p params
		uploads := inSuites("u.suite", scope)
		if q.Key != "" {
			uploads += " AND u.run_key = " + p.add(q.Key)
		}
		conditions := p.within("a.first_upload", q.Range) + " AND a.received > 0"
		if q.Branch != "" {
			conditions += " AND a.branch = " + p.add(q.Branch)
		}
		if q.Result != "" {
			result, ok := runResults[q.Result]
			if !ok {
				return nil
			}
			conditions += " AND " + result
		}
		list, total, err := r.runs(uploads, conditions, paging(q.Paging), p.args)
		if err == nil && len(list) == 0 && q.Paging.Offset() > 0 {
			_, total, err = r.runs(uploads, conditions, "\nLIMIT 1", p.args)
		}
		page.Items, page.Total = append(page.Items, list...), total
		return err
	})
	return page, err
}

// Run returns one run with its tests counted (query.Store).
func (d *Database) Run(ctx context.Context, suite query.SuiteKey, id string) (run query.Run, err error) {
	err = d.ask(ctx, func(r reader) error {
		scope, ok, err := r.scope(suite)
		if err != nil {
			return err
		}
		if !ok {
			return query.ErrNotFound
		}
		list, _, err := r.runs(inSuites("u.suite", scope)+" AND u.run_id = $1", "TRUE", "", []any{id})
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return query.ErrNotFound
		}
		run = list[0]
		return r.one(`SELECT count(*), count(*) FILTER (WHERE failed AND NOT passed), count(*) FILTER (WHERE failed AND passed) FROM (`+
			runTests(scope)+`)`, []any{id}, &run.Tests, &run.TestsFailed, &run.TestsRetried)
	})
	return run, err
}

// runTests reads the tests of run $1: whether one of its executions passed, and
// whether one failed, be it inside the runner.
func runTests(scope slicesql.Scope) string {
	return `SELECT f.test, bool_or(f.result = 1) AS passed, bool_or(f.result = 2 OR coalesce(d.retried_inside, FALSE)) AS failed,
	min(f.upload::UBIGINT * 4294967296 + f.idx) AS first_place
FROM executions_fact f
LEFT JOIN (
	SELECT upload, idx, retried_inside FROM failures
	WHERE retried_inside AND upload IN (SELECT number FROM uploads WHERE run_id = $1 AND ` + inSuites("suite", scope) + `)
) d ON d.upload = f.upload AND d.idx = f.idx
WHERE f.upload IN (SELECT number FROM uploads WHERE run_id = $1 AND ` + inSuites("suite", scope) + `)
GROUP BY f.test`
}

// RunFailures lists the tests of a run that failed, with all their attempts (query.Store).
func (d *Database) RunFailures(ctx context.Context, suite query.SuiteKey, id string, p query.Paging) (page query.Page[query.RunTest], err error) {
	page.Items = []query.RunTest{}
	err = d.ask(ctx, func(r reader) error {
		scope, ok, err := r.scope(suite)
		if err != nil || !ok {
			return err
		}
		failed := ` FROM (` + runTests(scope) + `) WHERE failed`
		if err := r.one("SELECT count(*)"+failed, []any{id}, &page.Total); err != nil {
			return err
		}
		var number uint32
		var order []uint32
		err = r.each("SELECT test"+failed+" ORDER BY passed, first_place"+paging(p), []any{id}, []any{&number}, func() error {
			order = append(order, number)
			return nil
		})
		if err != nil || len(order) == 0 {
			return err
		}
		page.Items, err = r.attempts(scope, id, order)
		return err
	})
	return page, err
}

func (r reader) attempts(scope slicesql.Scope, run string, order []uint32) ([]query.RunTest, error) {
	in := "IN (" + numberList(order) + ")"
	tests := make([]query.Test, len(order))
	place := make(map[uint32]*query.Test, len(order))
	attempts := make(map[uint32][]query.Execution, len(order))
	for i, number := range order {
		place[number] = &tests[i]
	}
	if err := r.testRows(in, place); err != nil {
		return nil, err
	}
	if err := r.testStates(tests); err != nil {
		return nil, err
	}
	pick := `SELECT * FROM executions_fact WHERE test ` + in + ` AND upload IN (SELECT number FROM uploads WHERE run_id = $1 AND ` + inSuites("suite", scope) + `)`
	err := r.executions(pick, "f.upload, f.idx", []any{run}, func(test uint32, e query.Execution) error {
		attempts[test] = append(attempts[test], e)
		return nil
	})
	list := make([]query.RunTest, len(order))
	for i, t := range tests {
		list[i] = query.RunTest{
			TestID: t.ID, Scope: t.Scope, Name: t.Name, Location: t.Location, File: t.File, Owner: t.Owner, State: t.State,
			Attempts: attempts[order[i]],
		}
	}
	return list, err
}
