package duckdb

import (
	"context"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/duckdb/slicesql"
)

// UploadHealth says how the uploads of a suite fared (query.Store).
func (d *Database) UploadHealth(ctx context.Context, q query.UploadHealthQuery) (h query.UploadHealth, err error) {
	err = d.ask(ctx, func(r reader) error {
		scope, ok, err := r.scope(q.SuiteKey)
		if err != nil || !ok {
			return err
		}
		var p params
		which := "u.reported AND " + inSuites("u.suite", scope) + " AND " + p.within("u.time", q.Range)
		for _, part := range []func(string, []any, *query.UploadHealth) error{r.uploadHours, r.perUpload, r.collectors} {
			if err := part(which, p.args, &h); err != nil {
				return err
			}
		}
		if err := r.problemGroups(which, p.args, q.Problems, scope, &h); err != nil {
			return err
		}
		return r.one("SELECT coalesce(epoch_ms(max(u.time)), 0) FROM deliveries u WHERE u.reported AND "+inSuites("u.suite", scope), nil, &h.LastUploadAt)
	})
	return h, err
}

func (r reader) uploadHours(which string, args []any, h *query.UploadHealth) error {
	var hour query.UploadHour
	t := &hour.UploadTally
	return r.each(`SELECT epoch_ms(date_trunc('hour', u.time)) AS began,
	count(*) FILTER (WHERE NOT u.duplicate), count(*) FILTER (WHERE u.duplicate),
	count(*) FILTER (WHERE NOT u.duplicate AND u.accepted = 0),
	count(*) FILTER (WHERE NOT u.duplicate AND u.problem_counts IS NOT NULL),
	coalesce(sum(u.received) FILTER (WHERE NOT u.duplicate), 0)::BIGINT,
	coalesce(sum(u.accepted) FILTER (WHERE NOT u.duplicate), 0)::BIGINT,
	coalesce(sum(u.rejected) FILTER (WHERE NOT u.duplicate), 0)::BIGINT,
	coalesce(sum(u.without_result) FILTER (WHERE NOT u.duplicate), 0)::BIGINT,
	coalesce(sum(u.suite_errors) FILTER (WHERE NOT u.duplicate), 0)::BIGINT,
	coalesce(sum(u.bytes) FILTER (WHERE NOT u.duplicate), 0)::BIGINT
FROM deliveries u WHERE `+which+` GROUP BY began ORDER BY began`, args, []any{
		&hour.At, &t.Uploads, &t.Duplicates, &t.Empty, &t.WithProblems, &t.Received, &t.Accepted, &t.Rejected, &t.WithoutResult, &t.SuiteErrors, &t.Bytes,
	}, func() error {
		h.Hours = append(h.Hours, hour)
		h.Total.Add(t)
		return nil
	})
}

func (r reader) perUpload(which string, args []any, h *query.UploadHealth) error {
	p := &h.PerUpload
	return r.one(`SELECT count(*) > 0, coalesce(quantile_disc(u.accepted, 0.5), 0), coalesce(quantile_disc(u.accepted, 0.9), 0), coalesce(max(u.accepted), 0)
FROM deliveries u WHERE u.accepted > 0 AND NOT u.duplicate AND `+which, args, &p.Known, &p.P50, &p.P90, &p.Max)
}

func (r reader) collectors(which string, args []any, h *query.UploadHealth) error {
	var c query.CollectorUse
	err := r.each(`SELECT u.collector, f.collector_version, count(*), epoch_ms(max(u.time))
FROM deliveries u JOIN uploads f ON f.number = u.number
WHERE NOT u.duplicate AND `+which+` GROUP BY u.collector, f.collector_version`, args, []any{&c.Name, &c.Version, &c.Uploads, &c.LastAt}, func() error {
		h.Collectors = append(h.Collectors, c)
		return nil
	})
	query.SortCollectors(h.Collectors)
	return err
}

// problemGroups adds up the counts of the reports, then reads one report a group
// for its example.
func (r reader) problemGroups(which string, args []any, limit int, scope slicesql.Scope, h *query.UploadHealth) error {
	var all query.Problems
	var id, counts string
	var at int64
	err := r.each(`SELECT u.id, epoch_ms(u.time), u.problem_counts FROM deliveries u WHERE NOT u.duplicate AND u.problem_counts IS NOT NULL AND `+which,
		args, []any{&id, &at, &counts}, func() error {
			var u query.Upload
			if err := readProblems(&u, "", counts); err != nil {
				return err
			}
			all.Add(id, at, u.ProblemCounts)
			return nil
		})
	if err != nil {
		return err
	}
	h.Problems, h.ProblemKinds = all.Most(limit)
	ids := query.Examples(h.Problems)
	if len(ids) == 0 {
		return nil
	}
	var p params
	places := make([]string, len(ids))
	for i, id := range ids {
		places[i] = p.add(id)
	}
	uploads, err := r.uploads(inSuites("u.suite", scope)+" AND u.id IN ("+strings.Join(places, ", ")+")", "", p.args)
	for i := range uploads {
		for j := range h.Problems {
			if g := &h.Problems[j]; g.ExampleUpload == uploads[i].UploadID {
				g.Illustrate(uploads[i].Problems)
			}
		}
	}
	return err
}
