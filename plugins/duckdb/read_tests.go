package duckdb

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/duckdb/slicesql"
)

// Tests lists managed tests (query.Store): it picks the page's tests first, and
// only these are looked up in the executions.
func (d *Database) Tests(ctx context.Context, q query.TestQuery) (page query.Page[query.Test], err error) {
	page.Items = []query.Test{}
	err = d.ask(ctx, func(r reader) error {
		scope, ok, err := r.scope(q.SuiteKey)
		if err != nil || !ok {
			return err
		}
		var order []uint32
		if order, page.Total, err = r.pickTests(scope, &q); err != nil || len(order) == 0 {
			return err
		}
		page.Items, err = r.describeTests(scope, order, q.Filter, q.Range)
		return err
	})
	return page, err
}

// Test returns one test (query.Store).
func (d *Database) Test(ctx context.Context, suite query.SuiteKey, id uint64, within query.Range) (test query.Test, err error) {
	err = d.ask(ctx, func(r reader) error {
		scope, ok, err := r.scope(suite)
		if err != nil {
			return err
		}
		var number uint32
		if ok {
			number, ok, err = r.testNumber(scope, id)
		}
		if err != nil {
			return err
		}
		if !ok {
			return query.ErrNotFound
		}
		tests, err := r.describeTests(scope, []uint32{number}, nil, within)
		if err != nil {
			return err
		}
		test = tests[0]
		return nil
	})
	return test, err
}

// pickTests returns the numbers of the page's tests in order, and how many there are in all.
func (r reader) pickTests(scope slicesql.Scope, q *query.TestQuery) (order []uint32, total int, err error) {
	join := ""
	p := params{}
	if column := testOrders[q.Order]; len(q.Filter) > 0 || strings.Contains(column, "c.") {
		counts := slicesql.Tests(q.Filter, q.Range, scope, nil)
		p.args = counts.Args
		join = "\nLEFT JOIN (" + counts.SQL + ") c ON c.test = t.number"
		if len(q.Filter) > 0 {
			join = "\nJOIN (" + counts.SQL + ") c ON c.test = t.number"
		}
	}
	from := `FROM tests t
LEFT JOIN st ON st.test_id = t.id AND st.suite = t.suite
LEFT JOIN (SELECT test, max(time) AS last_failure FROM failures WHERE result = 2 AND ` + inSuites("suite", scope) + ` GROUP BY test) lf ON lf.test = t.number` +
		join + "\nWHERE " + inSuites("t.suite", scope) + p.testConditions(q)
	if err = r.one(stateCTE(scope)+"SELECT count(*) "+from, p.args, &total); err != nil {
		return nil, 0, err
	}
	var number uint32
	err = r.each(stateCTE(scope)+"SELECT t.number "+from+"\nORDER BY "+testOrder(q)+paging(q.Paging), p.args, []any{&number}, func() error {
		order = append(order, number)
		return nil
	})
	return order, total, err
}

func (p *params) testConditions(q *query.TestQuery) (conditions string) {
	if len(q.States) > 0 {
		ranks := make([]string, len(q.States))
		for i, state := range q.States {
			ranks[i] = strconv.Itoa(slices.Index(query.States, state) + 1)
		}
		conditions += " AND coalesce(st.rank, 5) IN (" + strings.Join(ranks, ", ") + ")"
	}
	if q.Owner != "" {
		conditions += " AND t.owner = " + p.add(q.Owner)
	}
	if q.Search != "" {
		conditions += " AND contains(lower(concat_ws(' ', t.scope, t.name, t.file)), " + p.add(strings.ToLower(q.Search)) + ")"
	}
	return conditions
}

// testOrders are the columns tests are ordered by.
var testOrders = map[query.TestOrder]string{
	query.OrderName:        "concat_ws(' ', t.scope, t.name)",
	query.OrderLastFailure: "coalesce(epoch_ms(lf.last_failure), 0)",
	query.OrderReliability: "coalesce(c.passed / nullif(c.passed + c.failed, 0), -1)",
	query.OrderDurationAvg: "coalesce(c.average, 0)",
	query.OrderDurationSum: "coalesce(c.total, 0)",
	query.OrderDurationMin: "coalesce(c.least, 0)",
	query.OrderDurationMax: "coalesce(c.most, 0)",
	query.OrderExecutions:  "coalesce(c.passed + c.failed + c.skipped + c.pending + c.unknown, 0)",
}

func testOrder(q *query.TestQuery) string {
	down, up := "DESC", "ASC"
	if q.Ascending {
		down, up = up, down
	}
	column := testOrders[q.Order]
	switch {
	case q.Order == query.OrderName:
		return column + " " + up + ", t.id"
	case column != "":
		return column + " " + down + ", t.id"
	default:
		return "coalesce(st.rank, 5) " + up + ", coalesce(st.probability, 0) " + down + ", coalesce(lf.last_failure, TIMESTAMP '1970-01-01') " + down + ", t.id"
	}
}

// stateCTE gives st: the state of each test that ever had one, the worst of its variants.
func stateCTE(scope slicesql.Scope) string {
	return `WITH st AS (
	SELECT suite, test_id, min(rank) AS rank, arg_min(probability, rank) AS probability
	FROM (
		SELECT *, list_position(['flaky', 'broken', 'suspected', 'stale', 'healthy'], state) AS rank
		FROM test_states WHERE ` + inSuites("suite", scope) + `
	)
	GROUP BY suite, test_id
)
`
}
