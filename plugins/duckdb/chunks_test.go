package duckdb

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func reportBatch(offset int64, r testengine.UploadReport) service.MessageBatch {
	m := service.NewMessage(nil)
	r.Position = testengine.Position{LogID: "log1", Offset: offset}
	message.Set(m, testengine.KindUploadReport, &r)
	m.MetaSetMut(testengine.MetaLogID, "log1")
	m.MetaSetMut(testengine.MetaPartition, int64(0))
	m.MetaSetMut(testengine.MetaOffset, offset)
	m.MetaSetMut(testengine.MetaLogTime, r.Time)
	return service.MessageBatch{m}
}

func TestTheReportsOfPiecesAddUpToTheUploads(t *testing.T) {
	d := openDatabase(t, testSettings(databasePath(t)))
	part := func(index, received, rejected int, duplicate bool) testengine.UploadReport {
		r := testengine.UploadReport{
			UploadID: "up_1", Org: "acme", Suite: "api", Format: "json", ReceivedAt: 1000, Time: int64(1000 + index), Bytes: 10,
			Received: received, Accepted: received - rejected, Rejected: rejected, Duplicate: duplicate,
			Chunk: &testengine.Chunk{Index: index, Count: 3, FirstIndex: 100 * index},
		}
		if rejected > 0 {
			r.Problems = []testengine.Problem{{Index: 100 * index, Field: "name", Reason: "missing"}}
			r.ProblemCounts = map[string]int{"name: missing": rejected}
		}
		return r
	}
	suite := query.SuiteKey{Org: "acme", Suite: "api"}
	for offset, r := range []testengine.UploadReport{part(0, 100, 1, false), part(2, 50, 2, false)} {
		require.NoError(t, d.write(t.Context(), reportBatch(int64(offset), r)))
	}
	_, err := d.Upload(t.Context(), suite, "up_1")
	require.ErrorIs(t, err, query.ErrNotFound, "a piece is missing: the upload is pending")

	require.NoError(t, d.write(t.Context(), reportBatch(2, part(1, 100, 0, false))))
	require.NoError(t, d.write(t.Context(), reportBatch(3, testengine.UploadReport{UploadID: "up_2", Org: "acme", Suite: "api", ReceivedAt: 1000, Time: 2000, Received: 1, Accepted: 1})))
	again := part(0, 0, 0, true)
	again.ReceivedAt = 3000
	again.Chunk.Count = 1
	require.NoError(t, d.write(t.Context(), reportBatch(4, again)))

	got, err := d.Upload(t.Context(), suite, "up_1")
	require.NoError(t, err)
	require.Equal(t, []int{250, 247, 3, 30, 1}, []int{got.Received, got.Accepted, got.Rejected, got.Bytes, got.Duplicates})
	require.Equal(t, []testengine.Problem{{Index: 0, Field: "name", Reason: "missing"}, {Index: 200, Field: "name", Reason: "missing"}}, got.Problems)
	require.Equal(t, map[string]int{"name: missing": 3}, got.ProblemCounts)

	page, err := d.Uploads(t.Context(), query.UploadQuery{SuiteKey: suite, Paging: query.Paging{Number: 1, Size: 10}})
	require.NoError(t, err)
	require.Equal(t, 2, page.Total)
	require.Len(t, page.Items, 2)
}

func TestAnUploadThroughSeveralTopicsIsOne(t *testing.T) {
	d := openDatabase(t, testSettings(databasePath(t)))
	named := testengine.Position{LogID: "uploads", Partition: 2, Offset: 70}
	through := func(kind testengine.Kind, partition, offset int64, value any) {
		m := service.NewMessage(nil)
		message.Set(m, kind, value)
		m.MetaSetMut(testengine.MetaLogID, "log1")
		m.MetaSetMut(testengine.MetaPartition, partition)
		m.MetaSetMut(testengine.MetaOffset, offset)
		m.MetaSetMut(testengine.MetaLogTime, int64(1000))
		require.NoError(t, d.write(t.Context(), service.MessageBatch{m}))
	}
	suite := query.SuiteKey{Org: "acme", Suite: "api"}
	runID := testengine.RunID(testengine.SuiteSeed("acme", "api"), "r")
	facts := testengine.Upload{ID: "up_1", Org: "acme", Suite: "api", RunKey: "r", RunID: runID, Time: 1000, ReceivedAt: 1000}
	for n := range 2 { // A large upload is several blocks, each a record of its own.
		through(testengine.KindBlock, 0, int64(n), &testengine.Block{
			Upload: &facts, Position: named, First: n, Executions: []testengine.Execution{{Index: n, TestID: 7, Name: "adds", Result: testengine.ResultPassed}},
		})
	}
	through(testengine.KindUploadReport, 1, 0, &testengine.UploadReport{
		Position: named, UploadID: "up_1", Org: "acme", Suite: "api", RunKey: "r", RunID: runID, Time: 1000, ReceivedAt: 1000, Received: 2, Accepted: 2,
	})

	runs, err := d.Runs(t.Context(), query.RunQuery{SuiteKey: suite, Paging: query.Paging{Number: 1, Size: 10}})
	require.NoError(t, err)
	require.Len(t, runs.Items, 1)
	require.Equal(t, 1, runs.Items[0].Uploads)
	require.EqualValues(t, 2, runs.Items[0].Counts.Passed)
	uploads, err := d.Uploads(t.Context(), query.UploadQuery{SuiteKey: suite, Paging: query.Paging{Number: 1, Size: 10}})
	require.NoError(t, err)
	require.Equal(t, 1, uploads.Total)
	health, err := d.UploadHealth(t.Context(), query.UploadHealthQuery{SuiteKey: suite})
	require.NoError(t, err)
	require.Equal(t, 1, health.Total.Uploads)
}
