package duckdb

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/duckdb/slicesql"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const (
	recentResults  = 30
	recentFailures = 3
)

// describeTests fills the tests of these numbers, in their order.
func (r reader) describeTests(scope slicesql.Scope, order []uint32, filter query.Filter, within query.Range) ([]query.Test, error) {
	tests := make([]query.Test, len(order))
	place := make(map[uint32]*query.Test, len(order))
	for i, number := range order {
		place[number] = &tests[i]
	}
	in := "IN (" + numberList(order) + ")"
	steps := []func() error{
		func() error { return r.testRows(in, place) },
		func() error { return r.testCounts(scope, order, filter, within, place) },
		func() error { return r.testRecent(scope, in, place) },
		func() error { return r.testFailures(scope, in, place) },
		func() error { return r.testStates(tests) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return tests, nil
}

func numberList(numbers []uint32) string {
	words := make([]string, len(numbers))
	for i, n := range numbers {
		words[i] = strconv.FormatUint(uint64(n), 10)
	}
	return strings.Join(words, ", ")
}

func (r reader) testRows(in string, place map[uint32]*query.Test) error {
	var number uint32
	var t query.Test
	return r.each(`SELECT t.number, t.id, s.org, s.suite, t.scope, t.name, t.location, t.file, t.owner, epoch_ms(t.first_seen)
FROM tests t JOIN suites s ON s.number = t.suite WHERE t.number `+in, nil,
		[]any{&number, &t.ID, &t.Org, &t.Suite, &t.Scope, &t.Name, &t.Location, &t.File, &t.Owner, &t.FirstSeenAt}, func() error {
			*place[number] = t
			place[number].State = query.StateHealthy
			return nil
		})
}

func (r reader) testCounts(scope slicesql.Scope, order []uint32, filter query.Filter, within query.Range, place map[uint32]*query.Test) error {
	statement := slicesql.Tests(filter, within, scope, order)
	var number uint32
	var c query.Counts
	var avg, sum, least, most, p50, p95 *float64
	return r.each(statement.SQL, statement.Args,
		[]any{&number, &c.Passed, &c.Failed, &c.Skipped, &c.Pending, &c.Unknown, &avg, &sum, &least, &most, &p50, &p95}, func() error {
			t := place[number]
			t.Counts = c
			if avg != nil {
				t.Durations = query.Durations{
					Known: true, Avg: *avg / 1e6, Sum: *sum / 1e6, Min: *least / 1e6, Max: *most / 1e6, P50: *p50 / 1e6, P95: *p95 / 1e6,
				}
			}
			return nil
		})
}

// testRecent reads the last results, one digit each.
func (r reader) testRecent(scope slicesql.Scope, in string, place map[uint32]*query.Test) error {
	var number uint32
	var lastSeen int64
	var digits string
	return r.each(fmt.Sprintf(`SELECT test, epoch_ms(max(time)),
	array_to_string(max_by(result, upload::UBIGINT * 4294967296 + idx, %d), '')
FROM executions_fact WHERE test %s AND %s GROUP BY test`, recentResults, in, inSuites("suite", scope)), nil,
		[]any{&number, &lastSeen, &digits}, func() error {
			t := place[number]
			t.LastSeenAt = lastSeen
			for _, digit := range []byte(digits) {
				t.Recent = append(t.Recent, testengine.Result(digit-'0'))
			}
			slices.Reverse(t.Recent)
			return nil
		})
}

func (r reader) testFailures(scope slicesql.Scope, in string, place map[uint32]*query.Test) error {
	pick := fmt.Sprintf(`SELECT e.* FROM executions_fact e JOIN (
	SELECT unnest(max(upload::UBIGINT * 4294967296 + idx, %d)) AS place FROM failures WHERE test %s AND result = 2 AND %s GROUP BY test
) l ON l.place >> 32 = e.upload AND l.place & 4294967295 = e.idx WHERE e.test %s`, recentFailures, in, inSuites("suite", scope), in)
	return r.executions(pick, "f.upload DESC, f.idx DESC", nil, func(test uint32, e query.Execution) error {
		t := place[test]
		t.Failures = append(t.Failures, e)
		t.LastFailureAt = max(t.LastFailureAt, e.At)
		return nil
	})
}

// variantState is what the events about one variant of a test say.
type variantState struct {
	state       query.State
	since       int64
	probability float64
	body        string
}

// testStates folds the events about the tests. A test is as bad as its worst variant.
func (r reader) testStates(tests []query.Test) error {
	ids := make([]string, len(tests))
	place := make(map[uint64]*query.Test, len(tests))
	for i := range tests {
		ids[i] = strconv.FormatUint(tests[i].ID, 10)
		place[tests[i].ID] = &tests[i]
	}
	type variant struct {
		id   uint64
		name string
	}
	states := map[variant]*variantState{}
	var order []variant
	var v variant
	var event, body string
	var at int64
	var probability float64
	err := r.each(`SELECT test_id, variant, type, epoch_ms(time), probability, body FROM verdicts
WHERE test_id IN (`+strings.Join(ids, ", ")+`) ORDER BY number`, nil,
		[]any{&v.id, &v.name, &event, &at, &probability, &body}, func() error {
			state, ok := query.StateAfter(testengine.VerdictType(event))
			if !ok {
				return nil
			}
			s := states[v]
			if s == nil {
				s = &variantState{state: query.StateHealthy}
				states[v], order = s, append(order, v)
			}
			if s.state != state {
				s.since = at
			}
			s.state, s.probability, s.body = state, probability, body
			return nil
		})
	if err != nil {
		return err
	}
	for _, v := range order {
		if err := conclude(place[v.id], states[v]); err != nil {
			return err
		}
	}
	return nil
}

func conclude(t *query.Test, s *variantState) error {
	if t.Verdict != nil && slices.Index(query.States, s.state) >= slices.Index(query.States, t.State) {
		return nil
	}
	t.State, t.StateSince, t.Probability = s.state, s.since, s.probability
	t.Verdict = &testengine.Verdict{}
	if err := json.Unmarshal([]byte(s.body), t.Verdict); err != nil {
		return fmt.Errorf("reading a stored verdict: %w", err)
	}
	return nil
}
