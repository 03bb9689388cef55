package upload

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/bodies"
)

func newDecoder(t *testing.T, yaml string) *decoder {
	t.Helper()
	conf, err := decodeSpec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	d, err := decoderFromParsed(conf, service.MockResources())
	require.NoError(t, err)
	d.now = func() time.Time { return time.UnixMilli(1_790_000_000_000) }
	return d
}

// logged is a record of the upload log.
func logged(body []byte, offset int64, at int64) *service.Message {
	m := service.NewMessage(body)
	m.MetaSetMut(testengine.MetaKind, string(testengine.KindUpload))
	m.MetaSetMut(testengine.MetaOrg, "acme")
	m.MetaSetMut(testengine.MetaSuite, "api")
	m.MetaSetMut(testengine.MetaDefaultBranch, "main")
	m.MetaSetMut(testengine.MetaUploadID, message.UploadID("acme", "api", body))
	m.MetaSetMut(testengine.MetaReceivedAt, at)
	m.MetaSetMut(testengine.MetaLogID, "log1")
	m.MetaSetMut(testengine.MetaPartition, int64(2))
	m.MetaSetMut(testengine.MetaOffset, offset)
	m.MetaSetMut(testengine.MetaLogTime, at)
	return m
}

func process(t *testing.T, d *decoder, m *service.Message) ([]*testengine.Block, *testengine.UploadReport, service.MessageBatch) {
	t.Helper()
	batch, err := d.Process(t.Context(), m)
	require.NoError(t, err)
	var blocks []*testengine.Block
	var report *testengine.UploadReport
	for i, out := range batch {
		switch message.Kind(out) {
		case testengine.KindBlock:
			block, err := message.Get[testengine.Block](out)
			require.NoError(t, err)
			blocks = append(blocks, block)
		case testengine.KindUploadReport:
			require.Equal(t, len(batch)-1, i, "the report is the last message of its record")
			report, err = message.Get[testengine.UploadReport](out)
			require.NoError(t, err)
		default:
		}
	}
	return blocks, report, batch
}

const minute = 60_000

func TestUploadsBecomeBlocksAndAReport(t *testing.T) {
	d := newDecoder(t, "")
	body := bodies.Generate(1, bodies.Std)
	blocks, report, batch := process(t, d, logged(body, 7, 10*minute))
	require.Len(t, blocks, 3)
	require.Equal(t, []int{2000, 2000, 1000}, []int{len(blocks[0].Executions), len(blocks[1].Executions), len(blocks[2].Executions)})
	require.Equal(t, []int{0, 2000, 4000}, []int{blocks[0].First, blocks[1].First, blocks[2].First})
	require.Equal(t, 5000, report.Accepted)
	require.Equal(t, 5000, report.Received)
	require.Zero(t, report.Rejected)
	require.Empty(t, report.Problems)
	require.Equal(t, len(body), report.Bytes)
	require.Equal(t, testengine.Position{LogID: "log1", Partition: 2, Offset: 7}, blocks[1].Position)
	require.Equal(t, "log1/2/7/2001", blocks[1].ExecutionName(1))
	for _, out := range batch {
		offset, ok := message.Int(out, testengine.MetaOffset)
		require.True(t, ok)
		require.Equal(t, int64(7), offset)
		require.Equal(t, "acme", message.Text(out, testengine.MetaOrg))
	}
	failures, _ := batch[0].MetaGetMut(testengine.MetaHasFailures)
	require.Equal(t, true, failures)
	require.Equal(t, "main", message.Text(batch[0], testengine.MetaBranch))
	require.Equal(t, blocks[0].Upload.RunKey, message.Text(batch[0], testengine.MetaRunKey))
}

func TestTheSameUploadIsProcessedOnceWithinTheWindow(t *testing.T) {
	body := []byte(`{"format":"json","run_env":{"key":"b1"},"data":[{"name":"a","result":"passed"}]}`)
	other := []byte(`{"format":"json","run_env":{"key":"b2"},"data":[{"name":"a","result":"passed"}]}`)
	const hours = 60 * minute
	type step struct {
		body      []byte
		offset    int64
		at        int64
		duplicate bool
	}
	tests := []struct {
		name  string
		steps []step
	}{
		{"a second delivery is a duplicate", []step{{body, 1, 0, false}, {body, 2, minute, true}}},
		{"another body is not", []step{{body, 1, 0, false}, {other, 2, minute, false}}},
		{"a redelivered record is no duplicate of itself", []step{{body, 1, 0, false}, {body, 1, 0, false}}},
		{"a redelivered duplicate stays one", []step{{body, 1, 0, false}, {body, 2, 0, true}, {body, 1, 0, false}, {body, 2, 0, true}}},
		{"at the end of the window it is still known", []step{{body, 1, 0, false}, {body, 2, 24*hours - 1, true}}},
		{"behind the window it is processed again", []step{{body, 1, 0, false}, {body, 2, 24 * hours, false}}},
		{"a duplicate does not lengthen the window", []step{{body, 1, 0, false}, {body, 2, 20 * hours, true}, {body, 3, 25 * hours, false}}},
		{"what was swept away is processed again", []step{{body, 1, 0, false}, {other, 2, 26 * hours, false}, {body, 3, 26 * hours, false}, {other, 4, 27 * hours, true}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := newDecoder(t, "")
			for i, step := range test.steps {
				blocks, report, _ := process(t, d, logged(step.body, step.offset, step.at))
				require.Equal(t, step.duplicate, report.Duplicate, "step %d", i)
				require.Equal(t, step.duplicate, len(blocks) == 0, "step %d", i)
			}
		})
	}
}

func TestRecordsThatAreNoUploads(t *testing.T) {
	tests := []struct {
		name    string
		kind    testengine.Kind
		pass    bool
		content string
	}{
		{"a tick passes", testengine.KindTick, true, `{}`},
		{"a change passes", testengine.KindChange, true, `{"type":"detection"}`},
		{"a duplicate marker becomes a report", testengine.KindDuplicate, false, ``},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := logged([]byte(test.content), 3, minute)
			m.MetaSetMut(testengine.MetaKind, string(test.kind))
			_, report, batch := process(t, newDecoder(t, ""), m)
			require.Len(t, batch, 1)
			if test.pass {
				require.Same(t, m, batch[0])
				return
			}
			require.True(t, report.Duplicate)
			require.Equal(t, message.Text(m, testengine.MetaUploadID), report.UploadID)
		})
	}
}

func packed(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestWhatCannotBeReadIsReported(t *testing.T) {
	good := []byte(`{"data":[{"name":"a"}]}`)
	tests := []struct {
		name     string
		body     []byte
		encoding string
		kind     string
		reason   string
	}{
		{"a broken JSON", []byte(`{"data":[{"name":"a"}`), "", "application/json", "the JSON is broken at byte 21: it ends too early"},
		{"an empty body", nil, "", "application/json", "the JSON is broken at byte 0: it ends too early"},
		{"an unknown content type", good, "", "image/png", `content type "image/png": this content type is not read here, send application/json or multipart/form-data`},
		{"an unknown encoding", good, "br", "", `content encoding "br": this content encoding is not read here, send gzip, zstd, deflate or none`},
		{"a gzip that is none", good, "gzip", "", "the gzip is broken at byte 10: gzip: invalid header"},
		{"a gzip cut off", packed(t, good)[:20], "gzip", "", "the gzip is broken at byte 20: unexpected EOF"},
		{"a bomb", packed(t, make([]byte, 2_000_000)), "gzip", "", "the body unpacks to more bytes than allowed"},
		{"a body that is too large", make([]byte, 1_000_001), "", "", "the body unpacks to more bytes than allowed"},
		{"a form without boundary", good, "", "multipart/form-data", `content type "multipart/form-data" names no boundary: this content type is not read here, send application/json or multipart/form-data`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := logged(test.body, 1, minute)
			m.MetaSetMut(testengine.MetaContentType, test.kind)
			m.MetaSetMut(testengine.MetaContentEncoding, test.encoding)
			blocks, report, batch := process(t, newDecoder(t, "max_decoded_bytes: 1MB"), m)
			require.Empty(t, blocks)
			require.Len(t, batch, 1)
			require.NoError(t, batch[0].GetError())
			require.Zero(t, report.Received)
			require.Len(t, report.Problems, 1)
			require.Equal(t, -1, report.Problems[0].Index)
			require.Equal(t, "body", report.Problems[0].Field)
			require.Equal(t, test.reason, report.Problems[0].Reason)
			require.NotEmpty(t, report.RunID)
		})
	}
}

func TestAnUploadThatDecodingDiesOfIsReportedAndTheNextIsRead(t *testing.T) {
	d := newDecoder(t, "")
	read := d.read
	d.read = func(facts assemble.Facts, contentType string, body []byte, limits assemble.Limits) assemble.Result {
		if bytes.Contains(body, []byte("deadly")) {
			panic("slice bounds out of range")
		}
		return read(facts, contentType, body, limits)
	}
	body := []byte(`{"format":"json","run_env":{"key":"deadly"},"data":[{"name":"a","result":"passed"}]}`)
	blocks, report, _ := process(t, d, logged(body, 1, minute))
	require.Empty(t, blocks)
	require.Len(t, report.Problems, 1)
	require.Contains(t, report.Problems[0].Reason, "decoding died of this upload")
	blocks, report, _ = process(t, d, logged(bytes.ReplaceAll(body, []byte("deadly"), []byte("b1")), 2, minute))
	require.Len(t, blocks, 1)
	require.Equal(t, 1, report.Accepted)
}

func TestOtherPeoplesStreams(t *testing.T) {
	tests := []struct {
		name   string
		config string
		body   string
		names  []string
		report bool
	}{
		{"a bare execution", "", `{"name":"a","result":"failed"}`, []string{"a"}, true},
		{"an array", "", `[{"name":"a"},{"name":"b"}]`, []string{"a", "b"}, true},
		{"lines", "", "{\"name\":\"a\"}\n{\"name\":\"b\"}\n", []string{"a", "b"}, true},
		{"a broken line loses itself alone", "", "{\"name\":\"a\"}\n{\"name\":\n{\"name\":\"c\"}", []string{"a", "c"}, true},
		{"an upload", "", `{"data":[{"name":"a"}]}`, []string{"a"}, true},
		{"JUnit without a content type", "", `<testsuite><testcase name="a"/></testsuite>`, []string{"a"}, true},
		{"no report when all is well", "reports: problems", `[{"name":"a"}]`, []string{"a"}, false},
		{"a report when a record is bad", "reports: problems", `[{"name":"a"},{}]`, []string{"a"}, true},
		{"a report when there is nothing", "reports: problems", `[]`, nil, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := newDecoder(t, test.config+"\norg: o\nsuite: ${! @where }")
			m := service.NewMessage([]byte(test.body))
			m.MetaSet("where", "s")
			for range 2 { // a redelivery is processed again
				blocks, report, _ := process(t, d, m)
				require.Equal(t, test.report, report != nil)
				var names []string
				for _, block := range blocks {
					require.Equal(t, "o", block.Upload.Org)
					require.Equal(t, "s", block.Upload.Suite)
					for i := range block.Executions {
						names = append(names, block.Executions[i].Name)
					}
				}
				require.Equal(t, test.names, names)
			}
		})
	}
}

// A block must come back from its JSON as it was: config tests and other
// streams feed it as bytes.
func TestABlockComesBackFromItsJSON(t *testing.T) {
	d := newDecoder(t, "keep_details: all")
	blocks, _, batch := process(t, d, logged(bodies.Generate(3, bodies.Small), 1, minute))
	raw, err := batch[0].AsBytes()
	require.NoError(t, err)
	require.True(t, json.Valid(raw))
	decoded := new(testengine.Block)
	require.NoError(t, json.Unmarshal(raw, decoded))
	require.Equal(t, blocks[0], decoded)
}

func TestLimitsThatMakeNoSenseAreNoSetting(t *testing.T) {
	for field, bounds := range decodeNumbers {
		t.Run(field, func(t *testing.T) {
			conf, err := decodeSpec().ParseYAML(fmt.Sprintf("%s: %d", field, bounds.least-1), nil)
			require.NoError(t, err)
			_, err = decoderFromParsed(conf, service.MockResources())
			require.ErrorContains(t, err, "reading "+field+": it must be ")
		})
	}
}

func TestFactsThatStateCannotKeepAreNoSetting(t *testing.T) {
	for _, most := range []string{"0", "8193", "100000"} {
		conf, err := decodeSpec().ParseYAML("max_run_env_value_bytes: "+most, nil)
		require.NoError(t, err)
		_, err = decoderFromParsed(conf, service.MockResources())
		require.EqualError(t, err, "reading max_run_env_value_bytes: it must be between 64 and 8192, not "+most)
	}
}

func TestFactsAreWhatIsKeptWhenNoMoreIsAskedFor(t *testing.T) {
	body := []byte(`{"run_env":{"key":"b1"},"data":[
		{"name":"a","file_name":"a.rb","location":"a.rb:1","result":"passed","tags":{"team":"x"},"history":{"duration":0.5},"external_id":"7","more":[{}]},
		{"name":"b","result":"failed","failure_reason":"r","failure_expanded":[{"expanded":["e"]}],"history":{"duration":0.5}},
		{"history":{"duration":0.5}}]}`)
	blocks, report, _ := process(t, newDecoder(t, "keep: facts"), logged(body, 1, minute))
	require.Equal(t, []int{3, 2, 1}, []int{report.Received, report.Accepted, report.Rejected})
	seed := testengine.SuiteSeed("acme", "api")
	want := []testengine.Execution{
		{
			TestID: testengine.TestID(seed, "", "a"), Name: "a", File: "a.rb", Location: "a.rb:1",
			Result: testengine.ResultPassed, Tags: []testengine.Tag{{Key: "team", Value: "x"}},
		},
		{
			Index: 1, TestID: testengine.TestID(seed, "", "b"), Name: "b", Result: testengine.ResultFailed, FailureReason: "r",
			Details: &testengine.Details{FailureExpanded: `[{"expanded":["e"]}]`},
		},
	}
	for i := range want {
		want[i].MarkFile() // as decoding marks facts
	}
	require.Equal(t, want, blocks[0].Executions)
}
