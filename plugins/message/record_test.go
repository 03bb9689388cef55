package message

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func TestAMessageBecomesARecordAndBack(t *testing.T) {
	facts := testengine.Record{
		Org: "acme", Suite: "web", DefaultBranch: "main", UploadID: "up_1", ContentType: "application/json",
		ContentEncoding: "gzip", ReceivedAt: 1_700_000_000_000,
		Origin: &testengine.Position{LogID: "log", Partition: 3, Offset: 9},
		Meta:   []testengine.Tag{{Key: "door", Value: "eu-1"}},
	}
	block := &testengine.Block{Upload: &testengine.Upload{ID: "up_1", Org: "acme", Suite: "web", RunKey: "7", Branch: "main"}}
	for name, r := range map[string]testengine.Record{
		"upload":        {Kind: testengine.KindUpload, Body: []byte("\x1f\x8b")},
		"duplicate":     {Kind: testengine.KindDuplicate},
		"change":        {Kind: testengine.KindChange, Body: []byte(`{"id":"change_1"}`)},
		"tick":          {Kind: testengine.KindTick, Body: []byte("{}")},
		"block":         {Kind: testengine.KindBlock, Value: block},
		"upload report": {Kind: testengine.KindUploadReport, Value: &testengine.UploadReport{UploadID: "up_1", Org: "acme", Suite: "web"}},
		"run":           {Kind: testengine.KindRun, Value: &testengine.Run{RunKey: "7", Org: "acme", Suite: "web"}},
		"verdict":       {Kind: testengine.KindVerdict, Value: &testengine.Verdict{Org: "acme", Suite: "web"}},
	} {
		t.Run(name, func(t *testing.T) {
			kind, body, value := r.Kind, r.Body, r.Value
			if value == nil {
				r = facts
			}
			r.Kind, r.Body, r.Value, r.Org, r.Suite = kind, body, value, "acme", "web"
			m := FromRecord(&r)
			m.MetaSetMut(testengine.MetaLogID, "another")
			m.MetaSetMut(testengine.MetaOffset, int64(4))
			again, err := ToRecord(m)
			require.NoError(t, err)
			require.Len(t, again.Body, len(r.Body))
			if len(r.Body) == 0 {
				again.Body = r.Body
			}
			require.Equal(t, &r, again)
			require.Equal(t, r.Kind, Kind(m))
		})
	}
}

func TestAMessageThatIsNotOursIsNoRecord(t *testing.T) {
	_, err := ToRecord(service.NewMessage([]byte("{}")))
	require.ErrorContains(t, err, "none of ours")
}

func TestARecordCannotSayWhereItComesFrom(t *testing.T) {
	m := FromRecord(&testengine.Record{Kind: testengine.KindTick, Org: "acme", Meta: []testengine.Tag{
		{Key: testengine.MetaOffset, Value: "7"},
		{Key: testengine.MetaOrg, Value: "other"},
		{Key: testengine.MetaKind, Value: "block"},
		{Key: testengine.MetaSilent, Value: "true"},
		{Key: "door", Value: "eu-1"},
	}})
	_, placed := Position(m)
	require.False(t, placed)
	require.Equal(t, "acme", Text(m, testengine.MetaOrg))
	require.Equal(t, testengine.KindTick, Kind(m))
	require.False(t, Silent(m))
	require.Equal(t, "eu-1", Text(m, "door"))
}

func TestABlocksFactsAreMetadata(t *testing.T) {
	m := FromRecord(&testengine.Record{Kind: testengine.KindBlock, Org: "acme", Suite: "web", Value: &testengine.Block{
		Upload:     &testengine.Upload{ID: "up_1", RunKey: "7", Branch: "main"},
		Executions: []testengine.Execution{{Result: testengine.ResultFailed}},
	}})
	failed, _ := m.MetaGetMut(testengine.MetaHasFailures)
	require.Equal(t, true, failed)
	require.Equal(t, "up_1", Text(m, testengine.MetaUploadID))
	require.Equal(t, "7", Text(m, testengine.MetaRunKey))
}
