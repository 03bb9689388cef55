package duckdb

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const uploadsSelect = `SELECT
	u.log_id, u.partition_number, u.record_offset, u.id, s.org, s.suite, u.run_id, u.run_key, u.format, u.collector, u.branch, u.commit_sha,
	epoch_ms(u.received_at), epoch_ms(u.time), u.bytes, u.received, u.accepted, u.rejected, u.without_result, u.suite_errors,
	coalesce(u.problems, ''), coalesce(u.problem_counts, ''), coalesce(c.n, 0), f.chunk_count, f.collector_version
FROM deliveries u
JOIN uploads f ON f.number = u.number
JOIN suites s ON s.number = u.suite
LEFT JOIN (SELECT suite, id, count(*) AS n FROM deliveries WHERE duplicate GROUP BY suite, id) c ON c.suite = u.suite AND c.id = u.id
WHERE u.reported AND NOT u.duplicate AND `

func (r reader) uploads(conditions, rest string, args []any) (list []query.Upload, err error) {
	var u query.Upload
	var problems, counts string
	err = r.each(uploadsSelect+conditions+"\nORDER BY u.number DESC"+rest, args, []any{
		&u.LogID, &u.Partition, &u.Offset, &u.UploadID, &u.Org, &u.Suite, &u.RunID, &u.RunKey, &u.Format, &u.Collector, &u.Branch, &u.CommitSHA,
		&u.ReceivedAt, &u.Time, &u.Bytes, &u.Received, &u.Accepted, &u.Rejected, &u.WithoutResult, &u.SuiteErrors,
		&problems, &counts, &u.Duplicates, &u.Chunks, &u.CollectorVersion,
	}, func() error {
		u.Problems, u.ProblemCounts = nil, nil
		if err := readProblems(&u, problems, counts); err != nil {
			return err
		}
		list = append(list, u)
		return nil
	})
	return list, err
}

// readProblems reads the problems of an upload's records, one record a line.
func readProblems(u *query.Upload, problems, counts string) error {
	for line := range strings.Lines(problems) {
		var some []testengine.Problem
		if err := json.Unmarshal([]byte(line), &some); err != nil {
			return fmt.Errorf("reading an upload's stored problems: %w", err)
		}
		u.Problems = append(u.Problems, some...)
	}
	for line := range strings.Lines(counts) {
		var some map[string]int
		if err := json.Unmarshal([]byte(line), &some); err != nil {
			return fmt.Errorf("reading an upload's stored problems: %w", err)
		}
		if u.ProblemCounts == nil {
			u.ProblemCounts = map[string]int{}
		}
		for problem, n := range some {
			u.ProblemCounts[problem] += n
		}
	}
	return nil
}

// Uploads lists upload reports, newest first (query.Store).
func (d *Database) Uploads(ctx context.Context, q query.UploadQuery) (page query.Page[query.Upload], err error) {
	page.Items = []query.Upload{}
	err = d.ask(ctx, func(r reader) error {
		scope, ok, err := r.scope(q.SuiteKey)
		if err != nil || !ok {
			return err
		}
		var p params
		conditions := inSuites("u.suite", scope) + " AND " + p.within("u.time", q.Range)
		if q.RunID != "" {
			conditions += " AND u.run_id = " + p.add(q.RunID)
		}
		if q.WithProblems {
			conditions += " AND (u.rejected > 0 OR u.problems IS NOT NULL OR u.suite_errors > 0)"
		}
		if err := r.one("SELECT count(*) FROM deliveries u WHERE u.reported AND NOT u.duplicate AND "+conditions, p.args, &page.Total); err != nil {
			return err
		}
		list, err := r.uploads(conditions, paging(q.Paging), p.args)
		page.Items = append(page.Items, list...)
		return err
	})
	return page, err
}

// Upload returns one upload's report (query.Store).
func (d *Database) Upload(ctx context.Context, suite query.SuiteKey, id string) (upload query.Upload, err error) {
	err = d.ask(ctx, func(r reader) error {
		scope, ok, err := r.scope(suite)
		if err != nil {
			return err
		}
		if !ok {
			return query.ErrNotFound
		}
		list, err := r.uploads(inSuites("u.suite", scope)+" AND u.id = $1", "\nLIMIT 1", []any{id})
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return query.ErrNotFound
		}
		upload = list[0]
		return nil
	})
	return upload, err
}

// Verdicts lists events in log order (query.Store).
func (d *Database) Verdicts(ctx context.Context, q query.VerdictQuery) (list []testengine.Verdict, err error) {
	err = d.ask(ctx, func(r reader) error {
		scope, ok, err := r.scope(q.SuiteKey)
		if err != nil {
			return err
		}
		conditions := inSuites("suite", scope) // Numbers alone: nothing has to be bound.
		if !ok {
			conditions = "FALSE"
		}
		if q.After != "" && !q.Newest {
			after, err := r.verdictNumber(q.After)
			if err != nil {
				return err
			}
			conditions += fmt.Sprintf(" AND number > %d", after)
		}
		if q.TestID != 0 {
			conditions += fmt.Sprintf(" AND test_id = %d", q.TestID)
		}
		order := "number"
		if q.Newest {
			order = "number DESC"
		}
		inner := "SELECT number, body FROM verdicts WHERE " + conditions + " ORDER BY " + order + paging(query.Paging{Number: 1, Size: q.Limit})
		var body []byte
		return r.each("SELECT body FROM ("+inner+") ORDER BY number", nil, []any{&body}, func() error {
			var v testengine.Verdict
			if err := json.Unmarshal(body, &v); err != nil {
				return fmt.Errorf("reading a stored verdict: %w", err)
			}
			list = append(list, v)
			return nil
		})
	})
	return list, err
}

func (r reader) verdictNumber(id string) (number uint64, err error) {
	found := false
	err = r.each("SELECT number FROM verdicts WHERE id = $1", []any{id}, []any{&number}, func() error {
		found = true
		return nil
	})
	if err == nil && !found {
		err = query.ErrNotFound
	}
	return number, err
}
