package duckdb

import (
	"context"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
)

// Suites lists the suites that have rows (query.Store).
func (d *Database) Suites(ctx context.Context) ([]query.Suite, error) {
	list := []query.Suite{}
	err := d.ask(ctx, func(r reader) error {
		place := map[uint32]int{}
		var number uint32
		var s query.Suite
		err := r.each(`SELECT s.number, s.org, s.suite, s.default_branch, coalesce(t.n, 0), u.runs, u.executions, epoch_ms(u.first_upload), epoch_ms(u.last_upload)
FROM suites s
JOIN (
	SELECT suite, count(DISTINCT run) FILTER (WHERE run <> 0 AND NOT duplicate) AS runs,
		sum(passed + failed + skipped + pending + unknown)::BIGINT AS executions,
		min(time) AS first_upload, max(time) AS last_upload
	FROM uploads GROUP BY suite
) u ON u.suite = s.number
LEFT JOIN (SELECT suite, count(*) AS n FROM tests GROUP BY suite) t ON t.suite = s.number
ORDER BY s.org, s.suite`, nil,
			[]any{&number, &s.Org, &s.Suite, &s.DefaultBranch, &s.Tests, &s.Runs, &s.Executions, &s.FirstUploadAt, &s.LastUploadAt}, func() error {
				s.ByState = map[query.State]int{}
				place[number] = len(list)
				list = append(list, s)
				return nil
			})
		if err != nil {
			return err
		}
		return r.suiteStates(list, place)
	})
	return list, err
}

// suiteStates counts the tests of each state; those without events are healthy.
func (r reader) suiteStates(list []query.Suite, place map[uint32]int) error {
	var number uint32
	var rank, n int
	err := r.each(stateCTE(allSuites)+`SELECT st.suite, st.rank, count(*) FROM st JOIN tests t ON t.id = st.test_id AND t.suite = st.suite GROUP BY st.suite, st.rank`,
		nil, []any{&number, &rank, &n}, func() error {
			if i, ok := place[number]; ok {
				list[i].ByState[query.States[rank-1]] = n
			}
			return nil
		})
	for i := range list {
		rest := list[i].Tests
		for _, n := range list[i].ByState {
			rest -= n
		}
		if rest > 0 {
			list[i].ByState[query.StateHealthy] += rest
		}
	}
	return err
}
