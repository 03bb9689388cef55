package slicesql

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
)

func TestNothingOfAReaderIsInTheText(t *testing.T) {
	const evil = `x'"; DROP TABLE executions_fact; --`
	for _, scope := range []Scope{{}, {Suites: []uint32{1, 2}}, {Split: true}, {Split: true, Spilled: true}} {
		s := query.Slice{Measures: query.Measures[:8], By: []string{evil, "build.id", query.KeyTestName}, Range: query.Range{Min: 1, Max: 2}, Limit: 5}
		for _, key := range append([]string{evil}, query.BuiltinKeys...) {
			s.Filter = append(s.Filter, query.Term{Key: key, Value: evil}, query.Term{Key: key, Value: evil, Match: query.MatchPrefix, Not: true},
				query.Term{Key: query.KeyResult, Value: evil, Match: query.MatchOnly})
		}
		for _, statement := range []Statement{Compile(&s, scope), Tests(s.Filter, s.Range, scope, []uint32{3})} {
			require.NotContains(t, statement.SQL, "DROP")
			require.NotContains(t, statement.SQL, `x'"`)
			require.Contains(t, statement.Args, any(evil))
		}
	}
}

func TestExecutionsAreGroupedByNumbers(t *testing.T) {
	s := query.Slice{Measures: []query.Measure{query.P50Duration}, By: []string{"host.type", "host.arch"}, Limit: 10}
	statement := Compile(&s, Scope{Suites: []uint32{4}})
	require.Equal(t, []any{"host.type", "host.arch"}, statement.Args)
	require.Equal(t, `WITH ts_rows AS MATERIALIZED (SELECT number, coalesce(tags[$1], '') AS k0, coalesce(tags[$2], '') AS k1 FROM tag_sets WHERE (suite IN (4) OR number = 0)),
ts_keys AS MATERIALIZED (SELECT k0, k1, min(number) AS gid FROM ts_rows GROUP BY k0, k1),
ts AS (SELECT ts_rows.*, ts_keys.gid FROM ts_rows JOIN ts_keys USING (k0, k1))
SELECT ts_keys.k0, ts_keys.k1, a.m0 / 1e6
FROM (SELECT ts.gid AS ts_gid, quantile_cont(f.duration, 0.5) AS m0
FROM executions_fact f
JOIN ts ON ts.number = f.tag_set
WHERE f.suite IN (4)
GROUP BY 1) a
JOIN ts_keys ON ts_keys.gid = a.ts_gid
ORDER BY 3 DESC NULLS LAST, 1, 2
LIMIT 11`, statement.SQL)
}

func TestTablesAreJoinedOnlyWhenNeeded(t *testing.T) {
	for _, test := range []struct {
		name   string
		by     string
		scope  Scope
		joined []string
	}{
		{"a result needs no table", query.KeyResult, Scope{}, nil},
		{"a day needs no table", query.KeyDay, Scope{}, nil},
		{"a tag needs its set", "host.type", Scope{}, []string{"ts"}},
		{"a branch needs the upload", query.KeyBranch, Scope{}, []string{"u"}},
		{"an owner needs the test", query.KeyOwner, Scope{}, []string{"t"}},
		{"a tag that differs from upload to upload", "build.id", Scope{}, []string{"ts", "u"}},
		{"a tag where sets lack the upload's", "host.type", Scope{Split: true}, []string{"ts", "u"}},
		{"a tag where sets ran out", "host.type", Scope{Split: true, Spilled: true}, []string{"ts", "u", "execution_tags x"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			statement := Compile(&query.Slice{Measures: []query.Measure{query.Executions}, By: []string{test.by}}, test.scope)
			var joined []string
			for _, table := range []string{"ts", "u", "t", "execution_tags x"} {
				if strings.Contains(statement.SQL, "JOIN "+table+" ON") {
					joined = append(joined, table)
				}
			}
			require.Equal(t, test.joined, joined)
		})
	}
}
