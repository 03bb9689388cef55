package flaky

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/detect"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func newDetector(t *testing.T, yaml string) *detector {
	t.Helper()
	conf, err := detectSpec().ParseYAML(yaml, service.NewEnvironment())
	require.NoError(t, err)
	d, err := detectorFromParsed(conf, service.MockResources())
	require.NoError(t, err)
	d.now = func() time.Time { return time.UnixMilli(0) }
	return d
}

func TestTheDocumentedDefaultsAreTheDefaults(t *testing.T) {
	require.Equal(t, detect.DefaultSettings(), newDetector(t, `{}`).settings)
}

func message1(kind testengine.Kind, offset, at int64, value any) *service.Message {
	m := service.NewMessage(nil)
	message.Set(m, kind, value)
	m.MetaSetMut(testengine.MetaLogID, "log")
	m.MetaSetMut(testengine.MetaPartition, int64(3))
	m.MetaSetMut(testengine.MetaOffset, offset)
	m.MetaSetMut(testengine.MetaLogTime, at)
	m.MetaSetMut(testengine.MetaOrg, "local")
	m.MetaSetMut(testengine.MetaSuite, "web")
	return m
}

func blockOf(run string, results ...testengine.Result) *testengine.Block {
	seed := testengine.SuiteSeed("local", "web")
	b := &testengine.Block{Upload: &testengine.Upload{
		ID: run, Org: "local", Suite: "web", RunKey: run, Branch: "main", CommitSHA: "c-" + run,
	}}
	for i, result := range results {
		b.Executions = append(b.Executions, testengine.Execution{
			Index: i, TestID: testengine.TestID(seed, "Cart", "adds"), Scope: "Cart", Name: "adds", Result: result,
		})
	}
	return b
}

func kindsOf(batch service.MessageBatch) []string {
	var kinds []string
	for _, m := range batch {
		kind := string(message.Kind(m))
		if v, err := message.Get[testengine.Verdict](m); err == nil && kind == "verdict" {
			kind = string(v.Type)
		}
		if r, err := message.Get[testengine.Run](m); err == nil && kind == "run" {
			kind = "run " + string(r.Event)
		}
		kinds = append(kinds, kind)
	}
	return kinds
}

func TestWhatIsSaidFollowsTheBlockAndPrecedesTheEndOfARecord(t *testing.T) {
	d := newDetector(t, `{}`)
	block := message1(testengine.KindBlock, 0, 1000, blockOf("r1", testengine.ResultFailed, testengine.ResultPassed))
	out, err := d.Process(t.Context(), block)
	require.NoError(t, err)
	require.Equal(t, []string{"block", "run opened", "flaky.suspected"}, kindsOf(out))
	for _, m := range out[1:] {
		require.Equal(t, "web", message.Text(m, testengine.MetaSuite))
		offset, _ := message.Int(m, testengine.MetaOffset)
		require.EqualValues(t, 0, offset)
	}

	out, err = d.Process(t.Context(), message1(testengine.KindUploadReport, 0, 1000, &testengine.UploadReport{}))
	require.NoError(t, err)
	require.Equal(t, []string{"upload_report"}, kindsOf(out))

	out, err = d.Process(t.Context(), message1(testengine.KindTick, 1, 1000+121_000, map[string]any{}))
	require.NoError(t, err)
	require.Equal(t, []string{"run closed", "tick"}, kindsOf(out))
	run, err := message.Get[testengine.Run](out[0])
	require.NoError(t, err)
	require.EqualValues(t, 121_000, run.Time, "an event of a timer carries the timer's due time")
}

func TestARecordIsNotAppliedTwice(t *testing.T) {
	d := newDetector(t, `{}`)
	for range 2 {
		_, err := d.Process(t.Context(), message1(testengine.KindBlock, 4, 1000, blockOf("r1", testengine.ResultFailed)))
		require.NoError(t, err)
		_, err = d.Process(t.Context(), message1(testengine.KindUploadReport, 4, 1000, &testengine.UploadReport{}))
		require.NoError(t, err)
		_, err = d.Process(t.Context(), message1(testengine.KindTick, 3, 1000, map[string]any{}))
		require.NoError(t, err)
	}
	out, err := d.Process(t.Context(), message1(testengine.KindTick, 5, 200_000, map[string]any{}))
	require.NoError(t, err)
	run, err := message.Get[testengine.Run](out[0])
	require.NoError(t, err)
	require.Equal(t, 1, run.Failed)
}

func TestMessagesWithoutALogAreRecordsOfTheirOwn(t *testing.T) {
	d := newDetector(t, `{}`)
	m := service.NewMessage(nil)
	block := blockOf("r1", testengine.ResultFailed, testengine.ResultPassed)
	block.Upload.ReceivedAt = 5000
	message.Set(m, testengine.KindBlock, block)
	out, err := d.Process(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, []string{"block", "run opened", "flaky.suspected"}, kindsOf(out))
}
