package slicesql

import (
	"strings"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
)

// TagKeys lists the tag keys of executions in a stretch of time by how many
// executions carry them. It has no parameters: its values are numbers.
func TagKeys(within query.Range, scope Scope) string {
	conditions := []string{"TRUE"}
	if scope.Suites != nil {
		conditions = append(conditions, "suite IN ("+numbers(scope.Suites)+")")
	}
	if within.Min != 0 {
		conditions = append(conditions, "time >= TIMESTAMP '"+literal(within.Min)+"'")
	}
	if within.Max != 0 {
		conditions = append(conditions, "time < TIMESTAMP '"+literal(within.Max)+"'")
	}
	where := " WHERE " + strings.Join(conditions, " AND ")
	parts := []string{
		`SELECT unnest(map_keys(ts.tags)) AS key, f.n FROM (
	SELECT tag_set, count(*) AS n FROM executions_fact` + where + ` GROUP BY tag_set
) f JOIN tag_sets ts ON ts.number = f.tag_set`,
		`SELECT unnest(map_keys(tags)) AS key, passed + failed + skipped + pending + unknown AS n FROM uploads` + where,
	}
	if scope.Spilled {
		parts = append(parts, `SELECT unnest(map_keys(tags)) AS key, 1 AS n FROM execution_tags`+where)
	}
	// A key may be in the set and with the upload: the greater count is the use.
	for i := range parts {
		parts[i] = `SELECT key, sum(n) AS n FROM (` + parts[i] + `) GROUP BY key`
	}
	return `SELECT key FROM (` + strings.Join(parts, " UNION ALL ") + `) GROUP BY key HAVING max(n) > 0 ORDER BY max(n) DESC, key`
}

func literal(unixMilli int64) string {
	return time.UnixMilli(unixMilli).UTC().Format("2006-01-02 15:04:05.000")
}
