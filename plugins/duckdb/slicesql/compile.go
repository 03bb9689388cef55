// Package slicesql writes questions about executions as DuckDB SQL. What a
// reader sends (tag keys, values, measures) becomes a bound parameter or picks
// one of the words in this package; it is never part of the text.
//
// Strings are resolved before the executions are read: the small tables (tag
// sets, uploads, tests) are filtered and their distinct keys numbered, so that
// millions of executions are joined and grouped by numbers alone.
//
// There are no window functions: DuckDB 1.5.5 now and then dies of them when
// questions run side by side (an internal error in PhysicalWindow, seen in this
// project's tests), and takes the whole database with it.
package slicesql

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
)

// Scope is which suites are meant, and how their tags are stored.
type Scope struct {
	// Suites are their numbers; nil means all.
	Suites []uint32
	// Split says that a suite's tag sets lack the upload's tags, Spilled that
	// some executions' own tags lie in execution_tags.
	Split, Spilled bool
}

// Statement is SQL with its parameters.
type Statement struct {
	SQL  string
	Args []any
}

// Compile writes a slice. The columns are those of Slice.Columns; one row more
// than the limit is asked for, so that the caller sees whether there were more.
func Compile(s *query.Slice, scope Scope) Statement {
	b := newBuilder(scope)
	b.filter(s.Filter, s.Range)
	for i, key := range s.By {
		b.groupBy(i, key)
	}
	measures := b.measures(s.Measures)
	having := groupTerms(s.Filter)
	if len(s.By) == 0 { // without groups SQL answers a row even for no executions
		having = append(having, "count(*) > 0")
	}
	with, from := b.from()

	var sql strings.Builder
	sql.WriteString(with)
	sql.WriteString("SELECT ")
	sql.WriteString(strings.Join(append(b.columns(len(s.By)), finalMeasures(s.Measures)...), ", "))
	sql.WriteString("\nFROM (SELECT ")
	sql.WriteString(strings.Join(append(b.groups(), measures...), ", "))
	sql.WriteString("\n" + from)
	if len(b.groups()) > 0 {
		sql.WriteString("\nGROUP BY " + ordinals(len(b.groups())))
	}
	if len(having) > 0 {
		sql.WriteString("\nHAVING " + strings.Join(having, " AND "))
	}
	sql.WriteString(") a")
	sql.WriteString(b.keyJoins())
	sql.WriteString("\nORDER BY " + order(s))
	if s.Limit > 0 {
		sql.WriteString("\nLIMIT " + strconv.Itoa(s.Limit+1))
	}
	return Statement{SQL: sql.String(), Args: b.args}
}

// Tests writes the aggregates of a range by test: columns test, passed, failed,
// skipped, pending, unknown, average, total, minimum and maximum duration
// (microseconds). tests are numbers; nil means all.
func Tests(filter query.Filter, within query.Range, scope Scope, tests []uint32) Statement {
	b := newBuilder(scope)
	b.filter(filter, within)
	if tests != nil {
		b.where = append(b.where, "f.test IN ("+numbers(tests)+")")
	}
	with, from := b.from()
	sql := with + `SELECT f.test,
	count(*) FILTER (WHERE f.result = 1) AS passed, count(*) FILTER (WHERE f.result = 2) AS failed,
	count(*) FILTER (WHERE f.result = 3) AS skipped, count(*) FILTER (WHERE f.result = 4) AS pending,
	count(*) FILTER (WHERE f.result = 0) AS unknown,
	avg(f.duration) AS average, sum(f.duration)::DOUBLE AS total, min(f.duration) AS least, max(f.duration) AS most` + quantiles(tests != nil) + `
` + from + `
GROUP BY f.test`
	if terms := groupTerms(filter); len(terms) > 0 {
		sql += "\nHAVING " + strings.Join(terms, " AND ")
	}
	return Statement{SQL: sql, Args: b.args}
}

// quantiles are asked for of single tests only: over all they cost more than all the rest.
func quantiles(wanted bool) string {
	if !wanted {
		return ""
	}
	return ", quantile_cont(f.duration, 0.5) AS p50, quantile_cont(f.duration, 0.95) AS p95"
}

// order is that of query.Table: by time when a key is one, else by the first measure.
func order(s *query.Slice) string {
	var terms []string
	for i, key := range s.By {
		if key == query.KeyDay || key == query.KeyHour {
			terms = append(terms, strconv.Itoa(i+1))
			break
		}
	}
	if len(terms) == 0 && len(s.Measures) > 0 {
		terms = append(terms, strconv.Itoa(len(s.By)+1)+" DESC NULLS LAST")
	}
	for i := range s.By {
		terms = append(terms, strconv.Itoa(i+1))
	}
	if len(terms) == 0 {
		return "1"
	}
	return strings.Join(terms, ", ")
}

func ordinals(n int) string {
	words := make([]string, n)
	for i := range words {
		words[i] = strconv.Itoa(i + 1)
	}
	return strings.Join(words, ", ")
}

func numbers(list []uint32) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.FormatUint(uint64(n), 10)
	}
	if len(words) == 0 {
		return "NULL"
	}
	return strings.Join(words, ", ")
}

// measures are the aggregates over a group's executions, named m0, m1, ….
func (b *builder) measures(list []query.Measure) []string {
	var columns []string
	for i, m := range list {
		if m == query.Runs {
			b.uploads.used = true
		}
		columns = append(columns, fmt.Sprintf("%s AS m%d", aggregates[m], i))
	}
	return columns
}

const passedOrFailed = "nullif(count(*) FILTER (WHERE f.result IN (1, 2)), 0)" //nolint:gosec // SQL, no secret

var aggregates = map[query.Measure]string{
	query.Executions:    "count(*)",
	query.Passed:        "count(*) FILTER (WHERE f.result = 1)",
	query.Failed:        "count(*) FILTER (WHERE f.result = 2)",
	query.Skipped:       "count(*) FILTER (WHERE f.result = 3)",
	query.Tests:         "count(DISTINCT f.test)",
	query.Runs:          "count(DISTINCT u.run)",
	query.FailureRate:   "count(*) FILTER (WHERE f.result = 2) / " + passedOrFailed,
	query.Reliability:   "count(*) FILTER (WHERE f.result = 1) / " + passedOrFailed,
	query.P50Duration:   "quantile_cont(f.duration, 0.5)",
	query.P90Duration:   "quantile_cont(f.duration, 0.9)",
	query.P95Duration:   "quantile_cont(f.duration, 0.95)",
	query.P99Duration:   "quantile_cont(f.duration, 0.99)",
	query.AvgDuration:   "avg(f.duration)",
	query.MaxDuration:   "max(f.duration)",
	query.TotalDuration: "sum(f.duration)",
}

// finalMeasures turn microseconds into seconds.
func finalMeasures(list []query.Measure) []string {
	var columns []string
	for i, m := range list {
		column := fmt.Sprintf("a.m%d", i)
		if strings.HasSuffix(string(m), "_duration") {
			column = fmt.Sprintf("a.m%d / 1e6", i)
		}
		columns = append(columns, column)
	}
	return columns
}
