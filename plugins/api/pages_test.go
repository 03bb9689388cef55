package api

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/api/querytest"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func (b *bench) page(path string) string {
	b.t.Helper()
	w := b.get(path, "Accept", "text/html")
	require.Equal(b.t, http.StatusOK, w.Code, w.Body.String())
	require.Equal(b.t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
	return w.Body.String()
}

func TestPagesShow(t *testing.T) {
	b := newBench(t, demo())
	for _, test := range []struct {
		name, path string
		shows      []string
	}{
		{"the flaky list: state, probability, evidence, owner", "/flaky", []string{"pill flaky", "retries a declined card once", "@payments\"", "It failed and passed on one commit", "posterior_flaky", "/runs/run_"}},
		{"all tests", "/tests?state=healthy", []string{"pill healthy", "1–30 of"}},
		{"one test: marks, failures by cause, events", "/tests/" + flakyID(), []string{"Failures by cause", "Timeout::Error", "suspected flaky", `class="mixed"`, "data-chart="}},
		{"runs", "/runs", []string{"#4999", "running", "Older →"}},
		{"one run with failures and retries", "/runs/" + failedRun(b.store), []string{"Failures and retries", "pill failed", "lib/support/retry.rb"}},
		{"uploads with their problems", "/uploads?problems=true", []string{"name: it is missing"}},
		{"a slice", "/slices?measure=p50_duration&by=host.type&period=30days", []string{"c7g.2xlarge", "format=csv", "data-chart="}},
		{"a slice that was asked wrongly keeps the form", "/slices?measure=p50_duration&by=host.type&filter=oops", []string{"filter, character 1", `value="oops"`, `aria-invalid="true"`}},
		{"the form of a slice", "/slices", []string{"Median duration by host type", `value="host.type"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := b.page(suitePath + test.path)
			for _, text := range test.shows {
				require.Contains(t, body, strings.TrimPrefix(text, "@"))
			}
			require.True(t, strings.HasPrefix(body, "<!doctype html>"))
		})
	}
}

func TestEmptySuiteSaysHowToBegin(t *testing.T) {
	b := newBench(t, demo())
	for _, section := range []string{"flaky", "tests", "runs", "uploads"} {
		body := b.page("/local/suites/other/" + section)
		require.Contains(t, body, "BUILDKITE_ANALYTICS_BASE_URL=http://127.0.0.1:8420/v1/uploads")
		require.Contains(t, body, "suite add local/other")
	}
}

func TestRootLeadsToTheOnlySuite(t *testing.T) {
	b := newBench(t, demo())
	require.Contains(t, b.page("/"), "quickstart")
	b.door.table = nil
	w := b.get("/", "Accept", "text/html")
	require.Equal(t, http.StatusFound, w.Code)
	require.Equal(t, suitePath+"/flaky", w.Header().Get("Location"))
}

func TestASlashAtTheEndChangesNothing(t *testing.T) {
	b := newBench(t, demo())
	for _, path := range []string{suitePath, suitePath + "/runs", suitePath + "/tests/" + flakyID()} {
		t.Run(path, func(t *testing.T) {
			with, without := b.get(path+"/", "Accept", "text/html"), b.get(path, "Accept", "text/html")
			require.Equal(t, without.Code, with.Code)
			require.Less(t, with.Code, 400)
			require.Equal(t, without.Header().Get("Location"), with.Header().Get("Location"))
		})
	}
}

func TestFragmentIsThePartThatChanges(t *testing.T) {
	b := newBench(t, demo())
	w := b.get(suitePath+"/flaky", "Accept", "text/html", "X-Fragment", "live")
	require.Equal(t, http.StatusOK, w.Code)
	require.NotContains(t, w.Body.String(), "<html")
	require.Contains(t, w.Body.String(), "retries a declined card once")
}

// hostile is what somebody may send as any text.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}`

func TestEverythingIsEscaped(t *testing.T) {
	store := hostileStore()
	b := newBench(t, store)
	id := testengine.FormatID(store.Executions[0].TestID)
	for _, path := range []string{
		"/flaky", "/tests", "/tests/" + id, "/runs", "/runs/" + store.RunList[0].ID, "/uploads", "/upload-health", "/uploads/" + store.UploadList[0].UploadID,
		"/slices?measure=executions&by=who&filter=" + "x:%22%3E%3Cscript%3E", "/slices?measure=executions&by=who&period=30days",
		"/tests?search=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&owner=%3Cb%3E",
	} {
		body := b.page(suitePath + path)
		require.NotContains(t, body, "<script>alert", path)
		require.NotContains(t, body, "<img src=x", path)
		require.NotContains(t, body, `href="javascript:`, path)
		require.Empty(t, inlineCode.FindString(body), path)
	}
}

// inlineCode finds what the Content-Security-Policy would stop: handlers, styles and scripts in the page.
var inlineCode = regexp.MustCompile(`<[a-z][^<>"]*(?:"[^"]*"[^<>"]*)*\s(?:on[a-z]+|style)=|<style|<script>`)

func hostileStore() *querytest.Store {
	at := noon.UnixMilli()
	seed := testengine.SuiteSeed("local", "quickstart")
	e := querytest.Execution{
		Execution: query.Execution{
			ID: hostile, TestID: testengine.TestID(seed, hostile, hostile), RunID: "run_0000000000000001", UploadID: "up_" + strings.Repeat("0", 26), Branch: hostile,
			CommitSHA: hostile, At: at, Result: testengine.ResultFailed, HasDuration: true, Duration: 1, Location: hostile, FailureReason: hostile,
			FailureExpanded: `[{"expanded":["<script>alert(1)</script>"],"backtrace":["<script>alert(1)</script>"]}]`, Tags: []testengine.Tag{{Key: hostile, Value: hostile}},
		},
		SuiteKey: querytest.DemoSuite, Scope: hostile, Name: hostile, File: hostile, Owner: hostile, AllTags: map[string]string{"who": hostile, hostile: hostile},
	}
	return &querytest.Store{
		Executions: []querytest.Execution{e},
		RunList: []query.Run{{
			SuiteKey: querytest.DemoSuite, ID: e.RunID, Key: hostile, Branch: hostile, CommitSHA: hostile, URL: "javascript:alert(1)", Number: hostile, Message: hostile,
			CI: hostile, Storm: hostile, FirstUploadAt: at, LastUploadAt: at, Counts: query.Counts{Failed: 1},
		}},
		UploadList: []query.Upload{{UploadReport: testengine.UploadReport{
			UploadID: e.UploadID, Org: "local", Suite: "quickstart", RunID: e.RunID, RunKey: hostile, Collector: hostile, Branch: hostile, CommitSHA: hostile, Time: at,
			Problems: []testengine.Problem{{Field: hostile, Reason: hostile, Snippet: hostile}}, ProblemCounts: map[string]int{hostile: 1},
		}}},
		Events: []testengine.Verdict{querytest.NewVerdict(hostile, hostile, hostile, hostile, testengine.FlakyDetected, []querytest.Execution{e}, 0.9, hostile, at)},
	}
}

func TestAPathThatNobodyHasIsAPageForABrowser(t *testing.T) {
	b := newBench(t, demo())
	for _, path := range []string{"/health", "/uploads/" + "x/y", "/nope/"} {
		w := b.get(suitePath+path, "Accept", "text/html")
		require.Equal(t, http.StatusNotFound, w.Code)
		require.Contains(t, w.Body.String(), "there is no page at "+suitePath+path)
		require.Contains(t, w.Body.String(), `href="/"`, "it leads on")
	}
	require.Equal(t, "there is no page at "+suitePath+"/health", message(t, b.get(suitePath+"/health")))
}

func TestHeadersOfPages(t *testing.T) {
	b := newBench(t, demo())
	h := b.get(suitePath+"/flaky", "Accept", "text/html").Header()
	require.NotContains(t, h.Get("Content-Security-Policy"), "unsafe")
	require.Contains(t, h.Get("Content-Security-Policy"), "default-src 'none'")
	require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
	require.Equal(t, "no-store", h.Get("Cache-Control"))
	require.Contains(t, h.Get("Server-Timing"), "app;dur=")
}

func TestAssetsAreKeptByBrowsers(t *testing.T) {
	b := newBench(t, demo())
	address := regexp.MustCompile(`/assets/app\.css\?v=[0-9a-f]+`).FindString(b.page(suitePath + "/flaky"))
	require.NotEmpty(t, address)
	w := b.get(address, "Accept-Encoding", "gzip")
	require.Contains(t, w.Header().Get("Cache-Control"), "immutable")
	require.Equal(t, "gzip", w.Header().Get("Content-Encoding"))
	require.Equal(t, "text/css; charset=utf-8", w.Header().Get("Content-Type"))
	require.Equal(t, http.StatusNotModified, b.get(address, "If-None-Match", w.Header().Get("ETag")).Code)
	require.Contains(t, b.get("/assets/app.css").Header().Get("Cache-Control"), "no-cache")
	require.Equal(t, http.StatusNotFound, b.get("/assets/nope.js").Code)
	require.Contains(t, b.get("/assets/chart-LICENSE.md").Body.String(), "MIT", "the charting library's licence travels with it")
}
