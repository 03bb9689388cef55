package api

import (
	"encoding/csv"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/api/querytest"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

type object = map[string]any

func TestDataHasBuildkitesShapes(t *testing.T) {
	b := newBench(t, demo())
	base := "http://127.0.0.1:8420"
	for _, test := range []struct {
		name, path string
		fields     []string
	}{
		{"suites", "/v2/analytics/organizations/local/suites", []string{"id", "graphql_id", "organization_id", "slug", "name", "url", "web_url", "default_branch", "application_name", "color", "emoji"}},
		{"runs", dataPath + "/runs", []string{"id", "branch", "commit_sha", "state", "result", "url", "web_url", "build_id", "created_at"}},
		{"tests", dataPath + "/tests", []string{"id", "url", "web_url", "scope", "name", "location", "file_name", "labels", "reliability", "duration_avg", "duration_sum", "duration_min", "duration_max", "executions_count", "executions_count_by_result"}},
		{"flaky tests", dataPath + "/flaky-tests", []string{"id", "web_url", "scope", "name", "instances", "latest_occurrence_at", "most_recent_instance_at", "last_resolved_at", "ownership_team_ids", "probability", "verdict"}},
		{"uploads", dataPath + "/uploads", []string{"id", "url", "web_url", "received", "accepted", "rejected", "problems", "received_at"}},
		{"failed executions", dataPath + "/runs/" + failedRun(b.store) + "/failed_executions?include_failure_expanded=true", []string{"execution_id", "run_id", "test_id", "run_name", "commit_sha", "created_at", "branch", "failure_reason", "failure_expanded", "duration", "location", "test_name", "run_url", "test_url", "test_execution_url", "tags"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			list := decode[[]object](b, test.path)
			require.NotEmpty(t, list)
			for _, field := range test.fields {
				require.Contains(t, list[0], field)
			}
			if url, ok := list[0]["url"].(string); ok {
				one := decode[object](b, strings.TrimPrefix(url, base))
				require.Equal(t, list[0]["id"], one["id"], "its url leads to the same object")
				page := b.get(strings.TrimPrefix(list[0]["web_url"].(string), base), "Accept", "text/html").Code
				require.Contains(t, []int{http.StatusOK, http.StatusFound}, page, "and its web_url to a page")
			}
		})
	}
}

func failedRun(store *querytest.Store) (id string) {
	for _, r := range store.RunList {
		if r.TestsFailed > 0 {
			id = r.ID
		}
	}
	return id
}

func TestListsArePaged(t *testing.T) {
	b := newBench(t, demo())
	w := b.get(dataPath + "/runs?per_page=50&page=2&branch=")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "130", w.Header().Get("X-Total-Count"))
	link := w.Header().Get("Link")
	for _, rel := range []string{`page=1&per_page=50>; rel="prev"`, `page=3&per_page=50>; rel="next"`, `page=1&per_page=50>; rel="first"`, `page=3&per_page=50>; rel="last"`} {
		require.Contains(t, link, rel)
	}
	require.Len(t, decode[[]object](b, dataPath+"/runs"), 30, "thirty is the default")
	require.Len(t, decode[[]object](b, dataPath+"/runs?per_page=50&page=3"), 30, "the rest")
	require.Empty(t, decode[[]object](b, dataPath+"/runs?page=99"), "an empty list behind the end, not an error")
	require.NotContains(t, b.get(dataPath+"/runs?page=99").Header().Get("Link"), `rel="next"`)
	suites := strings.TrimSuffix(dataPath, "/quickstart")
	require.Len(t, decode[[]object](b, suites+"?page=1&per_page=1"), 1, "so are suites")
	require.Empty(t, decode[[]object](b, suites+"?page=9&per_page=1"))
}

func TestMistakesAreNamed(t *testing.T) {
	b := newBench(t, demo())
	for _, test := range []struct {
		name, path string
		status     int
		says       string
	}{
		{"a page that is no number", "/runs?page=x", 400, `page: "x" is no number from 1`},
		{"too much at once", "/tests?per_page=101", 400, "per_page:"},
		{"an unknown order", "/tests?sort_by=age", 400, "sort_by:"},
		{"an unknown state", "/tests?state=angry", 400, "state:"},
		{"an unknown period", "/tests?period=2years", 400, "period:"},
		{"a filter, with its place", "/tests?tags=host.type:a,b", 400, "tags, character 13:"},
		{"a slice without measure", "/slices?by=a", 400, "measure: it is missing"},
		{"a slice by a fourth tag", "/slices?measure=failed&by=a,b,c,d", 400, "by: at most 3"},
		{"a filter of a slice", "/slices?measure=failed&filter=x", 400, "filter, character 1"},
		{"a misspelt parameter of a slice", "/slices?measure=failed&peroid=7days", 400, "peroid: there is no such parameter; there are by, filter, format"},
		{"a misspelt parameter of tests", "/tests?perpage=5", 400, "perpage: there is no such parameter; there are branch, max_timestamp, min_timestamp, order, owner, owners, page,"},
		{"a parameter that tests do not have yet", "/tests?label=slow", 400, "label: there is no such parameter"},
		{"a misspelt parameter of flaky tests", "/flaky-tests?sortby=name", 400, "sortby: there is no such parameter; there are branch, max_timestamp"},
		{"a misspelt parameter of a test", "/tests/" + flakyID() + "?from=2020-01-01", 400, "from: there is no such parameter; there are max_timestamp, min_timestamp, period"},
		{"a misspelt parameter of runs", "/runs?build=1", 400, "build: there is no such parameter; there are branch, build_id,"},
		{"a misspelt parameter of a run's failures", "/runs/1/failed_executions?expanded=true", 400, "expanded: there is no such parameter; there are include_failure_expanded, page, per_page"},
		{"a misspelt parameter of uploads", "/uploads?problem=true", 400, "problem: there is no such parameter; there are max_timestamp, min_timestamp, page, per_page, period, problems, run_id"},
		{"a misspelt parameter of the uploads' health", "/upload-health?until=now", 400, "until: there is no such parameter; there are max_timestamp"},
		{"a misspelt parameter of keys", "/tags?period=7days&limit=5", 400, "limit: there is no such parameter; there are max_timestamp, min_timestamp, period"},
		{"a misspelt parameter of a key's values", "/tags/host.type?starts=c", 400, "starts: there is no such parameter; there are limit, prefix"},
		{"a misspelt parameter of verdicts", "/verdicts?since=1", 400, "since: there is no such parameter; there are after, limit, test_id"},
		{"a misspelt parameter of the stream", "/verdicts/stream?since=1", 400, "since: there is no such parameter; there are after"},
		{"a word for a truth", "/uploads?problems=maybe", 400, "problems: write true or false"},
		{"another word for a truth", "/runs/1/failed_executions?include_failure_expanded=yes", 400, "include_failure_expanded: write true or false"},
		{"a format nobody writes", "/slices?measure=failed&format=xml", 400, "format: write json or csv"},
		{"a test that is no id", "/tests/xyz", 404, "nothing at"},
		{"a test nobody saw", "/tests/00000000000000ff", 404, "nothing at"},
		{"a run that is no id", "/runs/1", 404, "nothing at"},
		{"an upload that is no id", "/uploads/1", 404, "nothing at"},
		{"a verdict to go on from that is gone", "/verdicts?after=nope", 400, "after: no verdict has the id"},
		{"a result nobody has", "/runs?result=green", 400, "result:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := b.get(dataPath + test.path)
			require.Equal(t, test.status, w.Code)
			require.Contains(t, message(t, w), test.says)
		})
	}
	w := b.get("/v2/analytics/organizations/local/suites?period=7days")
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Contains(t, message(t, w), "period: there is no such parameter; there are page, per_page")
	w = b.get("/v2/analytics/organizations/local/suites/nobody/tests")
	require.Equal(t, http.StatusNotFound, w.Code)
	require.Contains(t, message(t, w), "suite add local/nobody", "it says what to do")
}

func TestTestsAreSelected(t *testing.T) {
	b := newBench(t, demo())
	require.Len(t, decode[[]object](b, dataPath+"/flaky-tests"), 3)
	require.Len(t, decode[[]object](b, dataPath+"/flaky-tests?state=suspected,broken"), 3)
	require.Empty(t, decode[[]object](b, dataPath+"/tests?state=muted"), "nothing is muted yet")
	require.NotEmpty(t, decode[[]object](b, dataPath+"/tests?state=enabled"))
	require.Len(t, decode[[]object](b, dataPath+"/tests?search=DECLINED%20card"), 1, "letter case does not count")
	for _, test := range decode[[]object](b, dataPath+"/tests?owners=payments") {
		require.Equal(t, "payments", test["owner"])
	}
	only := decode[[]object](b, dataPath+"/tests?tags=result:~failed&branch=main&period=14days&per_page=100")
	require.NotEmpty(t, only)
	require.Less(t, len(only), 10, "only tests with a failure on main")
	slowest := decode[[]object](b, dataPath+"/tests?sort_by=duration_max&per_page=2")
	require.Greater(t, slowest[0]["duration_max"], slowest[1]["duration_max"])
}

func TestUploadIsPendingBeforeItIsStored(t *testing.T) {
	b := newBench(t, demo())
	pending := decode[object](b, dataPath+"/uploads/up_7zzzzzzzzzzzzzzzzzzzzzzzzz")
	require.Equal(t, "pending", pending["state"])
	require.NotContains(t, pending, "received")

	for _, accept := range []string{"*/*", "application/json", ""} {
		w := b.get(suitePath+"/uploads/up_7zzzzzzzzzzzzzzzzzzzzzzzzz", "Accept", accept)
		require.Equal(t, http.StatusOK, w.Code)
		require.Contains(t, w.Header().Get("Content-Type"), "application/json", "upload_url is JSON for curl")
	}
	w := b.get(suitePath+"/uploads/up_7zzzzzzzzzzzzzzzzzzzzzzzzz", "Accept", "text/html,*/*")
	require.Contains(t, w.Body.String(), "Processing.", "and a page for browsers")
	require.Equal(t, "running", decode[object](b, dataPath+"/runs/run_00000000000000ff")["state"], "run_url holds from the start too")
}

func TestSlices(t *testing.T) {
	b := newBench(t, demo())
	table := decode[struct {
		Columns   []string
		Rows      []object
		Truncated bool
	}](b, dataPath+"/slices?measure=p50_duration,executions&by=host.type,host.arch&filter=result:passed&period=30days")
	require.Equal(t, []string{"host.type", "host.arch", "p50_duration", "executions"}, table.Columns)
	require.Len(t, table.Rows, 2)
	require.Equal(t, "c7g.2xlarge", b.row(table.Rows, "host.arch", "arm64")["host.type"])

	repeated := b.get(dataPath + "/slices?measure=failed&measure=passed&by=host.type&by=&period=30days")
	require.Equal(t, http.StatusOK, repeated.Code, "a form repeats its fields")
	one := decode[struct{ Rows []object }](b, dataPath+"/slices?measure=executions")
	require.Len(t, one.Rows, 1, "without a key everything is one row")
	cut := decode[struct {
		Rows      []object
		Truncated bool
	}](b, dataPath+"/slices?measure=executions&by=test.id&limit=5")
	require.Len(t, cut.Rows, 5)
	require.True(t, cut.Truncated)
	all := decode[struct{ Rows []object }](b, "/v2/analytics/organizations/local/slices?measure=executions&by=suite&period=30days")
	require.Equal(t, "quickstart", all.Rows[0]["suite"])
}

func (b *bench) row(rows []object, key, value string) object {
	for _, row := range rows {
		if row[key] == value {
			return row
		}
	}
	require.Fail(b.t, "no such row")
	return nil
}

func TestCSVRunsNoFormulas(t *testing.T) {
	store := &querytest.Store{}
	at := noon.Add(-time.Hour).UnixMilli()
	for i, tag := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\tx", "plain, with comma", ""} {
		store.Executions = append(store.Executions, querytest.Execution{
			Execution: query.Execution{At: at, TestID: uint64(i), Result: testengine.ResultPassed}, SuiteKey: querytest.DemoSuite, AllTags: map[string]string{"who": tag},
		})
	}
	b := newBench(t, store)
	w := b.get(dataPath + "/slices?measure=executions,p50_duration&by=who&format=csv")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "text/csv; charset=utf-8", w.Header().Get("Content-Type"))
	require.Contains(t, w.Header().Get("Content-Disposition"), "attachment")
	records, err := csv.NewReader(w.Body).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"who", "executions", "p50_duration"}, records[0])
	var cells []string
	for _, record := range records[1:] {
		cells = append(cells, record[0])
		require.Equal(t, "1", record[1])
		require.Empty(t, record[2], "nothing to measure is an empty cell")
	}
	require.ElementsMatch(t, []string{"'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\tx", "plain, with comma", ""}, cells)
}

func TestTagsCanBeFound(t *testing.T) {
	b := newBench(t, demo())
	keys := decode[[]string](b, dataPath+"/tags")
	require.Contains(t, keys, "host.type")
	require.Contains(t, keys, query.KeyDay)
	require.Equal(t, []string{"c7g.2xlarge"}, decode[[]string](b, dataPath+"/tags/host.type?prefix=c"))
	require.Empty(t, decode[[]string](b, dataPath+"/tags/nobody"))
}

func TestStoreTrouble(t *testing.T) {
	for _, test := range []struct {
		name   string
		err    error
		status int
		says   string
	}{
		{"a store that opens says come back", query.ErrNotReady, 503, "still opening"},
		{"a broken store tells no secrets", errors.New("/secret/path: disk"), 500, "the server's log says why"},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := demo()
			store.Err = test.err
			b := newBench(t, store)
			w := b.get(dataPath + "/tests")
			require.Equal(t, test.status, w.Code)
			require.Contains(t, message(t, w), test.says)
			require.NotContains(t, w.Body.String(), "secret")
			require.Equal(t, test.status == 503, w.Header().Get("Retry-After") != "")
			require.Equal(t, test.status, b.get(suitePath+"/flaky", "Accept", "text/html").Code, "pages say so too")
		})
	}
	t.Run("a question that takes too long is ended", func(t *testing.T) {
		b := newBench(t, demo())
		b.site.store, b.site.config.queryTimeout = slow{b.store}, time.Millisecond
		w := b.get(dataPath + "/slices?measure=executions")
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.Contains(t, message(t, w), "took too long")
	})
	t.Run("a reader waits for a free place no longer than for an answer", func(t *testing.T) {
		b := newBench(t, demo())
		b.site.config.queryTimeout = time.Millisecond
		for range cap(b.site.slots) {
			b.site.slots <- struct{}{}
		}
		require.Equal(t, http.StatusServiceUnavailable, b.get(dataPath+"/tests").Code)
	})
}
