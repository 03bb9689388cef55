package duckdb

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	duck "github.com/duckdb/duckdb-go/v2"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/duckdb/slicesql"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// params binds values as $1, $2, ….
type params struct{ args []any }

func (p *params) add(v any) string {
	p.args = append(p.args, v)
	return "$" + strconv.Itoa(len(p.args))
}

// within is the condition for a stretch of log time.
func (p *params) within(column string, r query.Range) string {
	conditions := []string{"TRUE"}
	if r.Min != 0 {
		conditions = append(conditions, column+" >= "+p.add(moment(r.Min*1000)))
	}
	if r.Max != 0 {
		conditions = append(conditions, column+" < "+p.add(moment(r.Max*1000)))
	}
	return strings.Join(conditions, " AND ")
}

// paging ends a statement; size 0 means everything.
func paging(p query.Paging) string {
	if p.Size <= 0 {
		return ""
	}
	return fmt.Sprintf("\nLIMIT %d OFFSET %d", p.Size, p.Offset())
}

// executionColumns reads the executions that a CTE f picked from executions_fact.
const executionColumns = `SELECT
	f.test, u.log_id, u.partition_number, u.record_offset, f.idx, t.id, u.run_id, u.id, u.branch, u.commit_sha,
	epoch_ms(coalesce(f.started_at, f.time)), f.result, coalesce(f.duration, 0), f.duration IS NOT NULL, coalesce(d.location, t.location),
	coalesce(d.reason, ''), coalesce(d.expanded, ''), coalesce(d.signature, 0), coalesce(d.retried_inside, FALSE),
	CASE WHEN d.upload IS NULL THEN NULL ELSE map_concat(u.tags, g.tags, coalesce(x.tags, MAP {})) END
FROM f
JOIN uploads u ON u.number = f.upload
JOIN tests t ON t.number = f.test
JOIN tag_sets g ON g.number = f.tag_set
LEFT JOIN failures d ON d.upload = f.upload AND d.idx = f.idx
LEFT JOIN execution_tags x ON x.upload = f.upload AND x.idx = f.idx
`

// executions calls take for each execution that pick, a SELECT over
// executions_fact, returns; order is over f.
func (r reader) executions(pick, order string, args []any, take func(test uint32, e query.Execution) error) error {
	var e query.Execution
	var test uint32
	var p testengine.Position
	var index uint32
	var micros int64
	var tags any
	var result uint8
	var expanded string
	into := []any{
		&test, &p.LogID, &p.Partition, &p.Offset, &index, &e.TestID, &e.RunID, &e.UploadID, &e.Branch, &e.CommitSHA,
		&e.At, &result, &micros, &e.HasDuration, &e.Location, &e.FailureReason, &expanded, &e.Signature, &e.Retried, &tags,
	}
	return r.each("WITH f AS MATERIALIZED ("+pick+")\n"+executionColumns+"ORDER BY "+order, args, into, func() error {
		e.ID = p.String() + "/" + strconv.FormatUint(uint64(index), 10)
		e.Result, e.Duration = testengine.Result(result), float64(micros)/1e6
		e.FailureExpanded = testengine.RawJSON(expanded)
		e.Tags = tagsOf(tags)
		return take(test, e)
	})
}

// tagsOf reads a MAP(VARCHAR, VARCHAR), in order of key.
func tagsOf(cell any) (tags []testengine.Tag) {
	add := func(key, value any) {
		k, _ := key.(string)
		v, _ := value.(string)
		tags = append(tags, testengine.Tag{Key: k, Value: v})
	}
	switch m := cell.(type) {
	case duck.OrderedMap:
		for i, key := range m.Keys() {
			add(key, m.Values()[i])
		}
	case duck.Map:
		for key, value := range m {
			add(key, value)
		}
	}
	slices.SortFunc(tags, func(a, b testengine.Tag) int { return strings.Compare(a.Key, b.Key) })
	return tags
}

// testNumber finds a test; ok is false when the store does not know it.
func (r reader) testNumber(scope slicesql.Scope, id uint64) (number uint32, ok bool, err error) {
	// database/sql cannot bind numbers beyond 63 bits; this one is no text of a reader's.
	err = r.each(fmt.Sprintf("SELECT number FROM tests WHERE id = %d AND ", id)+inSuites("suite", scope), nil, []any{&number}, func() error {
		ok = true
		return nil
	})
	return number, ok, err
}

// History returns the executions of one test, newest first (query.Store).
func (d *Database) History(ctx context.Context, q query.HistoryQuery) (list []query.Execution, err error) {
	err = d.ask(ctx, func(r reader) error {
		scope, ok, err := r.scope(q.SuiteKey)
		if err != nil || !ok {
			return err
		}
		number, ok, err := r.testNumber(scope, q.TestID)
		if err != nil || !ok {
			return err
		}
		var p params
		pick := fmt.Sprintf("SELECT * FROM executions_fact WHERE test = %d AND %s AND %s", number, inSuites("suite", scope), p.within("time", q.Range))
		if q.Branch != "" {
			pick += " AND upload IN (SELECT number FROM uploads WHERE branch = " + p.add(q.Branch) + " AND " + inSuites("suite", scope) + ")"
		}
		pick += " ORDER BY upload DESC, idx DESC" + paging(query.Paging{Number: 1, Size: q.Limit})
		return r.executions(pick, "f.upload DESC, f.idx DESC", p.args, func(_ uint32, e query.Execution) error {
			list = append(list, e)
			return nil
		})
	})
	return list, err
}

// listed is how many branches and runs a group of failures names.
const listed = 10

// FailureGroups groups a test's failures by signature, the newest first (query.Store).
func (d *Database) FailureGroups(ctx context.Context, q query.HistoryQuery) (groups []query.FailureGroup, err error) {
	err = d.ask(ctx, func(r reader) error {
		scope, ok, err := r.scope(q.SuiteKey)
		if err != nil || !ok {
			return err
		}
		number, ok, err := r.testNumber(scope, q.TestID)
		if err != nil || !ok {
			return err
		}
		groups, err = r.failureGroups(scope, number, q)
		return err
	})
	return groups, err
}

func (r reader) failureGroups(scope slicesql.Scope, test uint32, q query.HistoryQuery) (groups []query.FailureGroup, err error) {
	var p params
	conditions := fmt.Sprintf("d.test = %d AND (d.result = 2 OR d.retried_inside) AND %s AND %s", test, inSuites("d.suite", scope), p.within("d.time", q.Range))
	if q.Branch != "" {
		conditions += " AND u.branch = " + p.add(q.Branch)
	}
	place := map[uint64]int{}
	var heads []string
	var g query.FailureGroup
	var at int64
	var run, branch string
	var upload, index uint32
	err = r.each(`SELECT d.signature, epoch_ms(d.time), u.run_id, u.branch, d.upload, d.idx
FROM failures d JOIN uploads u ON u.number = d.upload WHERE `+conditions+` ORDER BY d.upload DESC, d.idx DESC`,
		p.args, []any{&g.Signature, &at, &run, &branch, &upload, &index}, func() error {
			i, ok := place[g.Signature]
			if !ok {
				i = len(groups)
				if q.Limit > 0 && i == q.Limit {
					return nil
				}
				place[g.Signature] = i
				groups = append(groups, query.FailureGroup{Signature: g.Signature, LastAt: at})
				heads = append(heads, fmt.Sprintf("(%d, %d, %d)", i, upload, index))
			}
			group := &groups[i]
			group.Count++
			group.FirstAt = at
			group.Runs = addNew(group.Runs, run)
			group.Branches = addNew(group.Branches, branch)
			return nil
		})
	if err != nil || len(groups) == 0 {
		return groups, err
	}
	var i int
	var reason, expanded string
	return groups, r.each(`SELECT h.i, d.reason, coalesce(d.expanded, '')
FROM (VALUES `+strings.Join(heads, ", ")+`) h(i, upload, idx) JOIN failures d ON d.upload = h.upload AND d.idx = h.idx`,
		nil, []any{&i, &reason, &expanded}, func() error {
			groups[i].Reason, groups[i].Expanded = reason, testengine.RawJSON(expanded)
			return nil
		})
}

func addNew(list []string, word string) []string {
	if len(list) >= listed || slices.Contains(list, word) {
		return list
	}
	return append(list, word)
}
