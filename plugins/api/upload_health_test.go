package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/api/querytest"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const reason = "missing: an execution without a name belongs to no test"

// healthStore has three uploads in the last day, one that came again, and an older one.
func healthStore() *querytest.Store {
	at := func(ago time.Duration, u query.Upload) query.Upload {
		u.Org, u.Suite, u.Chunks = "local", "quickstart", 1
		u.Time = noon.Add(-ago).UnixMilli()
		return u
	}
	report := func(id string, received, rejected int) testengine.UploadReport {
		r := testengine.UploadReport{UploadID: id, Collector: "rspec", Received: received, Accepted: received - rejected, Rejected: rejected}
		if rejected > 0 {
			r.Problems = []testengine.Problem{{Index: 4, Field: "name", Reason: reason, Snippet: `{"scope":"` + id + `"}`}}
			r.ProblemCounts = map[string]int{"name: " + reason: rejected}
		}
		return r
	}
	broken := report("up_broken", 0, 0)
	broken.Problems = []testengine.Problem{{Index: -1, Field: "body", Reason: "the JSON is broken at byte 17: it ends too early", Snippet: `{"data":[`}}
	broken.ProblemCounts = map[string]int{"body: the JSON is broken at byte 17: it ends too early": 1}
	return &querytest.Store{UploadList: []query.Upload{
		at(30*time.Hour, query.Upload{UploadReport: report("up_old", 9, 9)}),
		at(23*time.Hour, query.Upload{UploadReport: report("up_first", 10, 2), CollectorVersion: "1"}),
		at(time.Hour, query.Upload{UploadReport: broken}),
		at(0, query.Upload{UploadReport: report("up_last", 100, 1), CollectorVersion: "1", Duplicates: 2}),
	}}
}

func TestUploadHealthAddsUp(t *testing.T) {
	b := newBench(t, healthStore())
	j := decode[uploadHealthJSON](b, dataPath+"/upload-health")
	require.Equal(t, tallyJSON{Uploads: 3, Duplicates: 2, WithProblems: 3, Empty: 1, Received: 110, Accepted: 107, Rejected: 3}, j.tallyJSON)
	require.Equal(t, &perUploadJSON{P50: 8, P90: 99, Max: 99}, j.PerUpload)
	require.Len(t, j.Hours, 24)
	require.Equal(t, j.From, j.Hours[0].At)
	require.Equal(t, 1, j.Hours[0].Uploads, "23 hours ago is the first hour")
	require.Equal(t, 1, j.Hours[23].Uploads, "now is the last")
	require.Equal(t, 2, j.Hours[23].Duplicates)
	require.Equal(t, []collectorJSON{
		{Name: "rspec", Version: "1", Uploads: 2, LastAt: testengine.Time(noon.UnixMilli())},
		{Name: "rspec", Uploads: 1, LastAt: testengine.Time(noon.Add(-time.Hour).UnixMilli())},
	}, j.Collectors)

	require.Len(t, j.Problems, 2)
	require.Equal(t, []any{"name", reason, 3, 2}, []any{j.Problems[0].Field, j.Problems[0].Reason, j.Problems[0].Count, j.Problems[0].Uploads})
	require.Equal(t, exampleJSON{
		UploadID: "up_last", URL: "http://127.0.0.1:8420" + dataPath + "/uploads/up_last", WebURL: "http://127.0.0.1:8420" + suitePath + "/uploads/up_last",
		Index: 4, Snippet: `{"scope":"up_last"}`,
	}, j.Problems[0].Example, "the newest upload is the example")
	require.Equal(t, "the JSON is broken: it ends too early", j.Problems[1].Reason, "where it broke makes no group of its own")
	require.True(t, strings.HasPrefix(j.Problems[1].Example.Snippet, `{"data":`))
}

func TestUploadHealthOfAnotherDay(t *testing.T) {
	b := newBench(t, healthStore())
	before := decode[uploadHealthJSON](b, dataPath+"/upload-health?max_timestamp="+noon.Add(-24*time.Hour).Add(time.Minute).UTC().Format(time.RFC3339))
	require.Equal(t, 1, before.Uploads)
	require.Equal(t, int64(9), before.Rejected)
	require.Nil(t, before.PerUpload, "nothing was accepted")
	require.Equal(t, 24*time.Hour.Milliseconds(), int64(before.To)-int64(before.From))
	require.Equal(t, testengine.Time(noon.UnixMilli()), before.LastUploadAt, "whatever the day")

	ahead := decode[uploadHealthJSON](b, dataPath+"/upload-health?max_timestamp="+noon.Add(90*time.Hour).UTC().Format(time.RFC3339))
	require.Equal(t, 3, ahead.Uploads, "there is nothing ahead of now")
	w := b.get(dataPath + "/upload-health?max_timestamp=yesterday")
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Contains(t, w.Body.String(), "max_timestamp")
}

func TestUploadHealthPage(t *testing.T) {
	b := newBench(t, healthStore())
	body := b.page(suitePath + "/upload-health")
	for _, text := range []string{"Uploads an hour", "Executions an hour", reason, "/uploads/up_last", "record 4", "the upload</a>", `<title>`, "The same by hour", "max_timestamp="} {
		require.Contains(t, body, text)
	}
	require.Contains(t, b.page(suitePath+"/uploads"), suitePath+`/upload-health"`, "the list of uploads leads there")
	require.Contains(t, b.page(suitePath+"/upload-health?max_timestamp=2020-01-01"), "Nothing came in these 24 hours")
	require.Contains(t, b.page("/local/suites/other/upload-health"), "BUILDKITE_ANALYTICS_BASE_URL")
}

func TestAnUploadSaysEverythingItsReportHas(t *testing.T) {
	store := healthStore()
	store.UploadList[3].Chunks, store.UploadList[3].WithoutResult = 7, 2
	b := newBench(t, store)
	j := decode[object](b, dataPath+"/uploads/up_last")
	for field, want := range map[string]any{
		"received": 100.0, "accepted": 99.0, "rejected": 1.0, "duplicates": 2.0, "without_result": 2.0, "suite_errors": 0.0, "chunks_count": 7.0, "collector_version": "1",
	} {
		require.Equal(t, want, j[field], field)
	}
	require.Equal(t, []any{object{"index": 4.0, "field": "name", "reason": reason, "snippet": `{"scope":"up_last"}`}}, j["problems"])
	page := b.page(suitePath + "/uploads/up_last")
	require.Contains(t, page, "It came in 7\u00a0pieces")
}
