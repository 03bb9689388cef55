package duckdb

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
)

const benchRows = 10_000_000

// fillBench writes benchRows executions by SQL: 4 suites, 5,000 tests each, 5,000
// uploads of 2,000 rows over 90 days in order of time, 64 tag sets a suite.
func fillBench(tb testing.TB, d *Database) {
	tb.Helper()
	for _, statement := range []string{
		`INSERT INTO suites SELECT 1 + i, 'acme', 'suite' || (1 + i), 'main', TIMESTAMP '2026-08-01', 0 FROM range(4) t(i)`,
		`INSERT INTO tests SELECT 1 + i, hash(i), 1 + i % 4, 'scope' || (i % 97), 'name' || i, 'f.rb:' || i, 'f' || (i % 300) || '.rb', 'team' || (i % 9), 0, TIMESTAMP '2026-08-01' FROM range(20000) t(i)`,
		`INSERT INTO tag_sets SELECT 1 + i, 1 + i // 64, i, TRUE, MAP {'host.type': 'type' || (i % 8), 'host.arch': 'arch' || (i % 2), 'region': 'r' || (i % 4)} FROM range(256) t(i)`,
		`INSERT INTO uploads SELECT 1 + i, 'up_' || i, 1 + i % 4, 'l', 0, i, TIMESTAMP '2026-08-01' + INTERVAL (i * 1555) SECOND, TIMESTAMP '2026-08-01', 'json', hash(i // 8),
			'run_' || (i // 8), 'k' || (i // 8), FALSE, 'branch' || (i % 40), 'c' || (i // 8), '', '', '', '', '', '', '', '', '', MAP {},
			1980, 20, 0, 0, 0, 1, 2000, 2000, 0, FALSE, 0, 0, NULL, NULL, TRUE, 0, 1 FROM range(5000) t(i)`,
		fmt.Sprintf(`INSERT INTO executions_fact SELECT TIMESTAMP '2026-08-01' + INTERVAL ((i // 2000) * 1555) SECOND, 1 + (i // 2000) %% 4, 1 + (i // 2000) %% 4 + 4 * (i %% 2000),
			1 + i // 2000, i %% 2000, CASE WHEN i %% 100 = 0 THEN 2 ELSE 1 END, hash(i) %% 3000000, 1 + 64 * ((i // 2000) %% 4) + hash(i // 16) %% 64, NULL FROM range(%d) t(i)`, benchRows),
		`CHECKPOINT`,
	} {
		_, err := d.current.Load().ExecContext(tb.Context(), statement)
		require.NoError(tb, err)
	}
}

// BenchmarkSlice asks 10 M executions.
func BenchmarkSlice(b *testing.B) {
	conf := testSettings(databasePath(b))
	d := openDatabase(b, conf)
	fillBench(b, d)
	month := query.Range{Min: 1785542400000 + 60*86400000}
	one := query.SuiteKey{Org: "acme", Suite: "suite2"}
	p50 := []query.Measure{query.P50Duration}
	for _, bench := range []struct {
		name  string
		slice query.Slice
	}{
		{"one suite, 30 days, p50 by two tags", query.Slice{SuiteKey: one, Measures: p50, By: []string{"host.type", "host.arch"}, Range: month}},
		{"one suite, all, p50 by two tags", query.Slice{SuiteKey: one, Measures: p50, By: []string{"host.type", "host.arch"}}},
		{"all, p50 by two tags", query.Slice{Measures: p50, By: []string{"host.type", "host.arch"}}},
		{"all, p50 by tag and branch", query.Slice{Measures: p50, By: []string{"host.type", "scm.branch"}}},
		{"all, failure rate by day", query.Slice{Measures: []query.Measure{query.FailureRate}, By: []string{"time.day"}}},
		{"one suite, 30 days, slowest tests", query.Slice{SuiteKey: one, Measures: []query.Measure{query.P95Duration}, By: []string{"test.name"}, Range: month, Limit: 20}},
		{"all, everything by region", query.Slice{Measures: query.Measures[:8], By: []string{"region"}}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			for range b.N {
				table, err := d.Slice(b.Context(), bench.slice)
				require.NoError(b, err)
				require.NotEmpty(b, table.Rows)
			}
		})
	}
}
