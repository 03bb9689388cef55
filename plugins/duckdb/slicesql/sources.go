package slicesql

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/duckdb/rows"
)

// source is a small table beside the executions. Its rows are filtered and its
// distinct keys numbered in front of the join.
type source struct {
	name  string // also the alias in the join
	table string // FROM of the source's rows; the row's number is column number
	on    string // column of executions_fact
	extra string // further columns

	used  bool
	where []string
	keys  []string // value expressions of group-bys; column k<i>
	raw   []string // tag keys that are read row by row: expressions of columns t<i>, NULL without the tag
}

// builder collects what a statement needs.
type builder struct {
	scope Scope
	args  []any

	tagSets, uploads, tests source
	where                   []string // on executions
	direct                  []string // group-bys on executions, g<i>
	spilled                 bool     // execution_tags is read
	outputs                 map[int]string
}

func newBuilder(scope Scope) *builder {
	b := &builder{scope: scope, outputs: map[int]string{}}
	b.tagSets = source{name: "ts", table: "tag_sets", on: "f.tag_set"}
	b.uploads = source{name: "u", table: "uploads", on: "f.upload", extra: ", run"}
	b.tests = source{name: "t", table: "tests", on: "f.test"}
	if scope.Suites != nil {
		in := "suite IN (" + numbers(scope.Suites) + ")"
		b.where = append(b.where, "f."+in)
		b.tagSets.where = append(b.tagSets.where, "("+in+" OR number = 0)")
		b.uploads.where = append(b.uploads.where, in)
		b.tests.where = append(b.tests.where, in)
	}
	return b
}

// arg binds a value and returns its placeholder.
func (b *builder) arg(value any) string {
	b.args = append(b.args, value)
	return "$" + strconv.Itoa(len(b.args))
}

const stateJoin = `tests LEFT JOIN (
	SELECT suite AS state_suite, test_id, arg_min(state, list_position(['flaky', 'broken', 'suspected', 'stale', 'healthy'], state)) AS state
	FROM test_states GROUP BY suite, test_id
) st ON st.test_id = tests.id`

// place is where a key's value is found: in a source, or with the executions.
type place struct {
	source *source // nil: expression is over the executions' join
	value  string
	// name makes the value readable when executions are grouped by something shorter.
	group, name string
}

func (b *builder) place(key string) place {
	switch key {
	case query.KeyResult:
		return place{value: resultName("f.result"), group: "f.result", name: resultName("%s")}
	case query.KeySuite:
		return place{value: suiteName("f.suite"), group: suiteName("f.suite"), name: "%s"} // two organisations may have one name
	case query.KeyDay:
		return place{group: "date_trunc('day', f.time)", name: "strftime(%s, '%%Y-%%m-%%d')"}
	case query.KeyHour:
		return place{group: "date_trunc('hour', f.time)", name: "strftime(%s, '%%Y-%%m-%%dT%%H:00Z')"}
	case query.KeyRun:
		return place{source: &b.uploads, value: "run_id"}
	case query.KeyBranch:
		return place{source: &b.uploads, value: "branch"}
	case query.KeyCommit:
		return place{source: &b.uploads, value: "commit_sha"}
	case query.KeyTest:
		return place{source: &b.tests, value: "printf('%016x', id)"}
	case query.KeyTestName:
		return place{source: &b.tests, value: "name"}
	case query.KeyTestScope:
		return place{source: &b.tests, value: "scope"}
	case query.KeyOwner:
		return place{source: &b.tests, value: "owner"}
	case query.KeyFile:
		return place{source: &b.tests, value: "file"}
	case query.KeyState:
		b.tests.table = stateJoin
		return place{source: &b.tests, value: "coalesce(state, 'healthy')"}
	default:
		return b.tagPlace(key)
	}
}

// tagPlace is the tag set alone when sets hold all tags; else the execution's
// tags in the side table, its set and its upload are tried in turn.
func (b *builder) tagPlace(key string) place {
	if !b.scope.Split && !slices.Contains(rows.UploadOnlyKeys, key) {
		return place{source: &b.tagSets, value: "coalesce(tags[" + b.arg(key) + "], '')"}
	}
	tag := b.arg(key)
	parts := []string{b.tagSets.rawTag(tag), b.uploads.rawTag(tag), "''"}
	if b.scope.Spilled {
		b.spilled = true
		parts = append([]string{"x.tags[" + tag + "]"}, parts...)
	}
	value := "coalesce(" + strings.Join(parts, ", ") + ")"
	return place{value: value, group: value, name: "%s"}
}

func (s *source) rawTag(tag string) string {
	s.used = true
	s.raw = append(s.raw, "tags["+tag+"]")
	return fmt.Sprintf("%s.t%d", s.name, len(s.raw)-1)
}

func resultName(result string) string {
	return "list_extract(['unknown', 'passed', 'failed', 'skipped', 'pending'], " + result + " + 1)"
}

func suiteName(number string) string {
	return "(SELECT s.suite FROM suites s WHERE s.number = " + number + ")"
}

// groupBy adds the i-th key of the slice.
func (b *builder) groupBy(i int, key string) {
	p := b.place(key)
	if p.source == nil {
		b.direct = append(b.direct, p.group)
		b.outputs[i] = fmt.Sprintf(p.name, fmt.Sprintf("a.g%d", len(b.direct)-1))
		return
	}
	p.source.used = true
	p.source.keys = append(p.source.keys, p.value)
	b.outputs[i] = fmt.Sprintf("%s_keys.k%d", p.source.name, len(p.source.keys)-1)
}

func (b *builder) sources() []*source { return []*source{&b.tagSets, &b.uploads, &b.tests} }

// groups are the group-by columns of the inner query.
func (b *builder) groups() (columns []string) {
	for i, expression := range b.direct {
		columns = append(columns, fmt.Sprintf("%s AS g%d", expression, i))
	}
	for _, s := range b.sources() {
		if len(s.keys) > 0 {
			columns = append(columns, fmt.Sprintf("%s.gid AS %s_gid", s.name, s.name))
		}
	}
	return columns
}

// columns are the keys' values in the order of the slice.
func (b *builder) columns(n int) []string {
	columns := make([]string, n)
	for i := range columns {
		columns[i] = b.outputs[i]
	}
	return columns
}

func (b *builder) keyJoins() (joins string) {
	var joinsSb175 strings.Builder
	for _, s := range b.sources() {
		if len(s.keys) > 0 {
			fmt.Fprintf(&joinsSb175, "\nJOIN %s_keys ON %s_keys.gid = a.%s_gid", s.name, s.name, s.name)
		}
	}
	joins += joinsSb175.String()
	return joins
}

// from writes the sources and the join of the executions with them.
func (b *builder) from() (with, from string) {
	var ctes []string
	from = "FROM executions_fact f"
	var fromSb187 strings.Builder
	for _, s := range b.sources() {
		if !s.used {
			continue
		}
		ctes = append(ctes, s.ctes()...)
		fmt.Fprintf(&fromSb187, "\nJOIN %s ON %s.number = %s", s.name, s.name, s.on)
	}
	from += fromSb187.String()
	if b.spilled {
		from += "\nLEFT JOIN execution_tags x ON x.upload = f.upload AND x.idx = f.idx"
	}
	if len(b.where) > 0 {
		from += "\nWHERE " + strings.Join(b.where, " AND ")
	}
	if len(ctes) > 0 {
		with = "WITH " + strings.Join(ctes, ",\n") + "\n"
	}
	return with, from
}

func (s *source) ctes() []string {
	columns := "number" + s.extra
	keys := make([]string, len(s.keys))
	var columnsSb209 strings.Builder
	for i, expression := range s.keys {
		keys[i] = fmt.Sprintf("k%d", i)
		fmt.Fprintf(&columnsSb209, ", %s AS k%d", expression, i)
	}
	columns += columnsSb209.String()
	var columnsSb213 strings.Builder
	for i, expression := range s.raw {
		fmt.Fprintf(&columnsSb213, ", %s AS t%d", expression, i)
	}
	columns += columnsSb213.String()
	rows := "SELECT " + columns + " FROM " + s.table
	if len(s.where) > 0 {
		rows += " WHERE " + strings.Join(s.where, " AND ")
	}
	if len(s.keys) == 0 {
		return []string{s.name + " AS (" + rows + ")"}
	}
	list := strings.Join(keys, ", ")
	return []string{
		fmt.Sprintf("%s_rows AS MATERIALIZED (%s)", s.name, rows),
		fmt.Sprintf("%s_keys AS MATERIALIZED (SELECT %s, min(number) AS gid FROM %s_rows GROUP BY %s)", s.name, list, s.name, list),
		fmt.Sprintf("%s AS (SELECT %s_rows.*, %s_keys.gid FROM %s_rows JOIN %s_keys USING (%s))", s.name, s.name, s.name, s.name, s.name, list),
	}
}
