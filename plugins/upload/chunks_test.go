package upload

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// piece is one record of an upload that came in two.
func piece(body string, index, first int) *testengine.Record {
	return &testengine.Record{
		Kind: testengine.KindUpload, Org: "acme", Suite: "api", DefaultBranch: "main", UploadID: "up_1", ContentType: "application/json",
		ReceivedAt: 10 * minute, Chunk: &testengine.Chunk{Index: index, Count: 2, FirstIndex: first}, Body: []byte(body),
	}
}

func TestPiecesOfAnUploadAreProcessedAloneAndAddUp(t *testing.T) {
	d := newDecoder(t, "")
	records := []*testengine.Record{
		piece(`{"run_env":{"key":"r"},"data":[{"name":"a","result":"passed"},{"name":"b","result":"failed"}]}`, 0, 0),
		piece(`{"run_env":{"key":"r"},"data":[{"name":"c","result":"passed"},{"result":"passed"}]}`, 1, 2),
	}
	received, accepted, rejected := 0, 0, 0
	for offset, record := range records {
		m := message.FromRecord(record)
		m.MetaSetMut(testengine.MetaLogID, "log1")
		m.MetaSetMut(testengine.MetaPartition, int64(0))
		m.MetaSetMut(testengine.MetaOffset, int64(2*offset))
		m.MetaSetMut(testengine.MetaLogTime, int64(10*minute))
		blocks, report, _ := process(t, d, m.Copy())
		require.Len(t, blocks, 1)
		require.Equal(t, testengine.RunID(testengine.SuiteSeed("acme", "api"), "r"), report.RunID)
		require.Equal(t, record.Chunk, report.Chunk)
		received, accepted, rejected = received+report.Received, accepted+report.Accepted, rejected+report.Rejected
		if offset == 1 {
			require.Equal(t, 3, report.Problems[0].Index, "the index is that in the upload")
		}

		m.MetaSetMut(testengine.MetaOffset, int64(2*offset+1))
		blocks, report, _ = process(t, d, m)
		require.Empty(t, blocks)
		require.True(t, report.Duplicate, "the same piece again is a duplicate, the other one is not")
		require.Equal(t, record.Chunk, report.Chunk)
	}
	require.Equal(t, []int{4, 3, 1}, []int{received, accepted, rejected})
}

// What is wrong around the records stands in every chunk, and is one problem all the same.
func TestTheEnvelopeOfAnUploadInPiecesIsRemarkedOnOnce(t *testing.T) {
	d := newDecoder(t, "max_upload_tags: 1")
	const envelope = `{"tags":{"a":"1","b":"2"},"tags":{},"run_env":{"k":"v"},"data":`
	counts := map[string]int{}
	for index, data := range []string{`[{"name":"a","result":"exploded"}]}`, `[{"name":"b","result":"exploded"},{"result":"passed"}]}`} {
		m := message.FromRecord(piece(envelope+data, index, index))
		m.MetaSetMut(testengine.MetaLogID, "log1")
		m.MetaSetMut(testengine.MetaPartition, int64(0))
		m.MetaSetMut(testengine.MetaOffset, int64(index))
		m.MetaSetMut(testengine.MetaLogTime, int64(10*minute))
		_, report, _ := process(t, d, m)
		for problem, n := range report.ProblemCounts {
			counts[problem] += n
		}
	}
	require.Equal(t, map[string]int{
		"tags: too many tags: this one was dropped":                1,
		"tags: given twice: the first one counts":                  1,
		"run_env.key: missing: the upload became a run of its own": 1,
		"result: unknown word: kept as unknown":                    2,
		"name: missing":                                            1,
	}, counts)
}

func TestARecordsChunkSurvivesTheMessage(t *testing.T) {
	record := piece("{}", 1, 2)
	record.Meta = []testengine.Tag{{Key: "X-Sent-By", Value: "ci"}}
	back, err := message.ToRecord(message.FromRecord(record))
	require.NoError(t, err)
	require.Equal(t, record, back)
}
