package otlp

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/unpack"
	"github.com/connect-testengine/connect-testengine/tests/cputime"
)

var testFacts = assemble.Facts{UploadID: "up_1", Org: "acme", Suite: "api"}

func limits(keep assemble.KeepDetails) assemble.Limits {
	l := assemble.DefaultLimits()
	l.KeepDetails = keep
	return l
}

// jsonSpan is OTLP/JSON of a span: name, trace, parent, and attributes as pairs.
func jsonSpan(name, trace, parent, more string, attributes ...string) string {
	return spanWithID("00f067aa0ba902b7", name, trace, parent, more, attributes...)
}

func spanWithID(id, name, trace, parent, more string, attributes ...string) string {
	var pairs []string
	for i := 0; i < len(attributes); i += 2 {
		pairs = append(pairs, fmt.Sprintf(`{"key":%q,"value":{"stringValue":%q}}`, attributes[i], attributes[i+1]))
	}
	return fmt.Sprintf(`{"traceId":%q,"spanId":%q,"parentSpanId":%q,"name":%q,"kind":1,
		"startTimeUnixNano":"1795327681000000000","endTimeUnixNano":"1795327681250000000","attributes":[%s]%s}`,
		trace, id, parent, name, strings.Join(pairs, ","), more)
}

func request1(resource string, spans ...string) string {
	return `{"resource":{"attributes":[` + resource + `]},"scopeSpans":[{"scope":{},"spans":[` + strings.Join(spans, ",") + `]}]}`
}

func requests(all ...string) string { return `{"resourceSpans":[` + strings.Join(all, ",") + `]}` }

const (
	trace1 = "c0e09beb5289bd437f3873dadf43b9e5"
	trace2 = "d0e09beb5289bd437f3873dadf43b9e5"
	trace3 = "e0e09beb5289bd437f3873dadf43b9e5"
	parent = "06df17b433ca7b2e"

	resourceMain = `{"key":"vcs.ref.head.name","value":{"stringValue":"main"}},{"key":"vcs.ref.head.revision","value":{"stringValue":"5e1f0c"}},
		{"key":"vcs.ref.type","value":{"stringValue":"branch"}},{"key":"cicd.pipeline.run.id","value":{"stringValue":"p-1"}},
		{"key":"cicd.worker.id","value":{"stringValue":"agent-7"}}`
)

// protobuf is the same request in the other encoding, by the reference code.
func protobuf(t testing.TB, body string) []byte {
	t.Helper()
	request := new(trace.TracesData)
	require.NoError(t, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal([]byte(base64Ids(t, body)), request))
	raw, err := proto.Marshal(request)
	require.NoError(t, err)
	return raw
}

// base64Ids rewrites hexadecimal ids, which OTLP has and protojson does not.
func base64Ids(t testing.TB, body string) string {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal([]byte(body), &value))
	raw, err := json.Marshal(rewriteIds(t, value))
	require.NoError(t, err)
	return string(raw)
}

func rewriteIds(t testing.TB, value any) any {
	t.Helper()
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if text, ok := inner.(string); ok && strings.HasSuffix(key, "Id") {
				var raw []byte
				_, err := fmt.Sscanf(text, "%x", &raw)
				require.True(t, err == nil || text == "")
				v[key] = raw // json writes base64
				continue
			}
			v[key] = rewriteIds(t, inner)
		}
	case []any:
		for i := range v {
			v[i] = rewriteIds(t, v[i])
		}
	}
	return value
}

func told(result assemble.Result) (all []string) {
	for _, block := range result.Blocks {
		for i := range block.Executions {
			e := &block.Executions[i]
			line := fmt.Sprintf("%s: %s %s > %s %gs at %s", block.Upload.RunKey, e.Result, e.Scope, e.Name, e.Duration, e.Location)
			if e.FailureReason != "" {
				line += ": " + e.FailureReason
			}
			all = append(all, line)
		}
	}
	return all
}

func TestSpansBecomeExecutions(t *testing.T) {
	tests := []struct {
		name     string
		header   string
		body     string
		want     []string
		rejected int
	}{
		{
			"a test and what it did", "", requests(request1(resourceMain,
				jsonSpan("SELECT", trace1, parent, "", "db.query.text", "SELECT 1"),
				jsonSpan("test.execution", trace1, "", "", "buildkite.execution.via", "otlp", "buildkite.run_key", "b-91", "buildkite.test.scope", "Invoice",
					"buildkite.test.name", "adds VAT", "test.case.result.status", "pass", "code.file.path", "spec/a_spec.rb", "code.line.number", "31"))),
			[]string{"b-91: passed Invoice > adds VAT 0.25s at spec/a_spec.rb:31"},
			0,
		},
		{
			"a failure says why", "", requests(request1(resourceMain,
				jsonSpan("test.execution", trace1, "", `,"status":{"code":2,"message":"expected 120, got 144"},"events":[{"name":"exception","timeUnixNano":"1795327681100000000",
					"attributes":[{"key":"exception.message","value":{"stringValue":"expected 120, got 144"}},{"key":"exception.stacktrace","value":{"stringValue":"a.rb:1\nb.rb:2"}}]}]`,
					"test.case.name", "fails", "test.suite.name", "Invoice", "test.case.result.status", "fail"))),
			[]string{"p-1: failed Invoice > fails 0.25s at : expected 120, got 144"},
			0,
		},
		{
			"the header's run key stands before the pipeline's", "b-92", requests(request1(resourceMain,
				jsonSpan("test.execution", trace1, "", "", "test.case.name", "a", "test.case.result.status", "skipped"))),
			[]string{"b-92: skipped  > a 0.25s at "},
			0,
		},
		{
			"without a result the span's status counts, and no status is unknown", "", requests(request1(resourceMain,
				jsonSpan("test.execution", trace1, "", `,"status":{"code":2,"message":"boom"}`, "test.case.name", "a"),
				jsonSpan("test.execution", trace2, "", "", "test.case.name", "b"),
				jsonSpan("test.execution", trace3, "", "", "test.case.name", "c", "test.case.result.status", "unset"))),
			[]string{"p-1: failed  > a 0.25s at : boom", "p-1: unknown  > b 0.25s at ", "p-1: unknown  > c 0.25s at "},
			0,
		},
		{
			"several runs in one request are several uploads", "h", requests(request1(resourceMain,
				jsonSpan("test.execution", trace1, "", "", "test.case.name", "a", "buildkite.run_key", "r1"),
				jsonSpan("test.execution", trace2, "", "", "test.case.name", "b", "buildkite.run_key", "r2"),
				jsonSpan("test.execution", trace3, "", "", "test.case.name", "c", "buildkite.run_key", "r1"))),
			[]string{"r1: unknown  > a 0.25s at ", "r1: unknown  > c 0.25s at ", "r2: unknown  > b 0.25s at "},
			0,
		},
		{
			"spans of somebody else, and nameless ones, are rejected alone", "b-91", requests(request1("",
				jsonSpan("pkg/test_money.py::test_a", trace2, parent, "", "pytest.nodeid", "x"),
				jsonSpan("test.execution", trace1, "", ""),
				jsonSpan("test.execution", trace3, "", "", "test.case.name", "c"),
				jsonSpan("below the nameless one", trace1, parent, ""))),
			[]string{"b-91: unknown  > c 0.25s at "},
			2,
		},
		{"nothing", "", `{}`, nil, 0},
		{"nothing but strangers", "", requests(request1("", jsonSpan("GET /", trace1, "", ""))), nil, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bodies := map[Encoding][]byte{JSON: []byte(test.body), Protobuf: protobuf(t, test.body)}
			for encoding, body := range bodies {
				result := Decode(testFacts, encoding, body, test.header, limits(assemble.KeepFailed))
				require.False(t, result.Refused)
				require.Equal(t, test.want, told(result))
				report := result.Report
				require.Equal(t, []int{len(test.want), test.rejected}, []int{report.Accepted, report.Rejected})
				require.Equal(t, report.Received, report.Accepted+report.Rejected)
				seen, err := Look(encoding, body, test.header, 128)
				require.NoError(t, err)
				require.Equal(t, []int{report.Accepted, report.Rejected}, []int{seen.Executions, seen.Rejected}, "the door says what decoding does")
				if len(test.want) > 0 {
					require.Equal(t, report.RunKey, seen.RunKey)
				}
			}
		})
	}
}

func TestExecutionsOfSeveralRunsHavePlacesOfTheirOwn(t *testing.T) {
	body := requests(request1(resourceMain,
		jsonSpan("GET /", trace3, "", ""),
		jsonSpan("test.execution", trace1, "", "", "test.case.name", "a", "buildkite.run_key", "r1"),
		jsonSpan("test.execution", trace2, "", "", "test.case.name", "b", "buildkite.run_key", "r2"),
		jsonSpan("test.execution", trace2, "", "", "test.case.name", "c", "buildkite.run_key", "r1")))
	result := Decode(testFacts, JSON, []byte(body), "", limits(assemble.KeepFailed))
	require.Len(t, result.Blocks, 2)
	require.Equal(t, []int{0, 2}, []int{result.Blocks[0].First, result.Blocks[1].First})
	require.Equal(t, []int{1, 3, 2}, []int{result.Blocks[0].Executions[0].Index, result.Blocks[0].Executions[1].Index, result.Blocks[1].Executions[0].Index})
	require.Equal(t, []string{"up_1", "up_1-2"}, []string{result.Blocks[0].Upload.ID, result.Blocks[1].Upload.ID})
	require.Equal(t, testengine.Problem{Index: 0, Field: "span", Reason: stranger.why(), Snippet: "GET /"}, result.Report.Problems[0])
}

func TestExecutionsCarryRealTimesFactsAndHistory(t *testing.T) {
	body := requests(request1(resourceMain,
		jsonSpan("SELECT", trace1, parent, "", "db.query.text", "SELECT \"1\""),
		jsonSpan("GET", trace1, parent, "", "url.full", "https://rates.example/eu", "http.request.method", "GET"),
		jsonSpan("test.execution", trace1, "", `,"status":{"code":2},"events":[{"name":"test.annotation","timeUnixNano":"1795327681100000000",
			"attributes":[{"key":"buildkite.annotation","value":{"stringValue":"visited /invoices/9"}}]}]`, "test.case.name", "a", "test.case.result.status", "fail",
			"buildkite.tag.team", "billing", "buildkite.job_id", "j-33", "buildkite.collector.name", "sdk", "buildkite.test.execution.external_id", "x-1")))
	result := Decode(testFacts, Protobuf, protobuf(t, body), "", limits(assemble.KeepFailed))
	upload, e := result.Blocks[0].Upload, result.Blocks[0].Executions[0]
	require.Equal(t, int64(1795327681000), e.StartedAt)
	require.Equal(t, []testengine.Tag{{Key: "team", Value: "billing"}}, e.Tags)
	require.Equal(t, "x-1", e.ExternalID())
	require.Equal(t, []string{"main", "5e1f0c", "j-33", "sdk", "otlp"}, []string{upload.Branch, upload.CommitSHA, upload.JobID, upload.Collector, upload.Format})
	require.Equal(t, []testengine.Tag{{Key: "ci.worker.id", Value: "agent-7"}}, upload.Tags)
	require.JSONEq(t, `{"section":"top","start_at":0,"end_at":0.25,"duration":0.25,"detail":{},"children":[
		{"section":"annotation","start_at":0.1,"end_at":0.1,"duration":0,"detail":{"content":"visited /invoices/9"},"children":[]},
		{"section":"sql","start_at":0,"end_at":0.25,"duration":0.25,"detail":{"query":"SELECT \"1\""},"children":[]},
		{"section":"http","start_at":0,"end_at":0.25,"duration":0.25,"detail":{"method":"GET","url":"https://rates.example/eu","lib":"GET"},"children":[]}]}`, string(e.History()))
}

func TestTimesThatCannotBeAreReportedAndTheExecutionStays(t *testing.T) {
	tests := []struct {
		name, start, end string
		started          int64
		duration         float64 // -1 for none
		reason           string
		snippet          string
	}{
		{"a span that takes its time", "1795327681000000000", "1795327681250000000", 1795327681000, 0.25, "", ""},
		{"a span that takes none", "1795327681000000000", "1795327681000000000", 1795327681000, 0, "", ""},
		{"a span that ends before it begins", "1795327681250000000", "1795327681000000000", 1795327681250, -1, "the span ends before it begins: it was dropped", "from 1795327681250000000 to 1795327681000000000"},
		{"a span that never ends", "1795327681250000000", "0", 1795327681250, -1, "", ""},
		{"a span that never begins", "0", "1795327681250000000", 0, -1, "", ""},
		{"an end beyond all time", "1795327681250000000", "18446744073709551615", 1795327681250, -1, "out of range: it was dropped", "from 1795327681250000000 to 18446744073709551615"},
		{"a beginning beyond all time", "18446744073709551615", "18446744073709551615", 0, -1, "out of range: it was dropped", "from 18446744073709551615 to 18446744073709551615"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			span := jsonSpan("test.execution", trace1, "", "", "test.case.name", "a", "test.case.result.status", "pass")
			span = strings.NewReplacer("1795327681000000000", test.start, "1795327681250000000", test.end).Replace(span)
			body := requests(request1(resourceMain, span))
			for encoding, body := range map[Encoding][]byte{JSON: []byte(body), Protobuf: protobuf(t, body)} {
				result := Decode(testFacts, encoding, body, "", limits(assemble.KeepAll))
				require.Equal(t, []int{1, 1, 0}, []int{result.Report.Received, result.Report.Accepted, result.Report.Rejected})
				e := result.Blocks[0].Executions[0]
				require.Equal(t, test.started, e.StartedAt)
				require.Equal(t, test.duration >= 0, e.HasDuration)
				require.InDelta(t, max(0, test.duration), e.Duration, 0)
				var problems []testengine.Problem
				if test.reason != "" {
					problems = []testengine.Problem{{Field: "duration", Reason: test.reason, Snippet: test.snippet}}
				}
				require.Equal(t, problems, result.Report.Problems)
			}
		})
	}
}

const recordedFolder = "../../../tests/testdata/recorded-clients/"

func TestRecordedExportersAreRead(t *testing.T) {
	tests := []struct {
		name     string
		encoding Encoding
		packed   bool
		accepted int
		rejected int
	}{
		{"otlp-js-json", JSON, false, 2, 0},
		{"otlp-js-json-gzip", JSON, true, 2, 0},
		{"otlp-js-proto", Protobuf, false, 2, 0},
		{"otlp-js-proto-gzip", Protobuf, true, 2, 0},
		{"otlp-py-proto-gzip", Protobuf, true, 2, 0},
		{"otlp-py-batch512", Protobuf, true, 512, 0},
		{"otlp-pytest-opentelemetry", Protobuf, true, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			body, err := os.ReadFile(recordedFolder + test.name + ".body")
			require.NoError(t, err)
			if test.packed {
				body, err = unpack.Append(unpack.Guess(body), nil, body, 1<<20)
				require.NoError(t, err)
			}
			result := Decode(testFacts, test.encoding, body, "b-91", limits(assemble.KeepAll))
			require.False(t, result.Refused)
			t.Log(result.Report.Accepted, result.Report.Rejected, told(result)[:min(2, len(told(result)))])
			require.Equal(t, test.accepted, result.Report.Accepted)
			for _, block := range result.Blocks {
				require.Equal(t, "b-91", block.Upload.RunKey)
				for i := range block.Executions {
					require.Positive(t, block.Executions[i].StartedAt)
				}
			}
		})
	}
}

func TestBrokenRequestsAreRefusedWithTheOffset(t *testing.T) {
	tests := []struct {
		name     string
		encoding Encoding
		body     string
		want     string
	}{
		{"JSON cut off", JSON, `{"resourceSpans":[`, "the JSON is broken at byte 18: it ends too early"},
		{"JSON that is no object", JSON, `[]`, "the JSON is broken at byte 0: an object with resourceSpans is expected"},
		{"a field longer than its message", Protobuf, "\x0a\x05ab", "the protobuf is broken at byte 4: it ends too early"},
		{"an inner field longer than its message", Protobuf, "\x0a\x03\x12\x09ab", "the protobuf is broken at byte 5: it ends too early"},
		{"a number without end", Protobuf, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "the protobuf is broken at byte 1: a number is too long"},
		{"a group", Protobuf, "\x0b", "the protobuf is broken at byte 0: this type of field does not exist"},
		{"field 0", Protobuf, "\x00\x01", "the protobuf is broken at byte 0: this is no number of a field"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Look(test.encoding, []byte(test.body), "", 128)
			require.EqualError(t, err, test.want)
			require.True(t, Decode(testFacts, test.encoding, []byte(test.body), "", limits(assemble.KeepFailed)).Refused)
		})
	}
}

// What must hold: nothing panics, the door's counts are decoding's, and the
// account adds up.
func FuzzOTLP(f *testing.F) {
	for _, name := range []string{"otlp-js-json", "otlp-js-proto"} {
		body, err := os.ReadFile(recordedFolder + name + ".body")
		require.NoError(f, err)
		f.Add(name == "otlp-js-json", body)
	}
	f.Fuzz(func(t *testing.T, isJSON bool, body []byte) {
		encoding := Protobuf
		if isJSON {
			encoding = JSON
		}
		seen, err := Look(encoding, body, "k", 128)
		result := Decode(testFacts, encoding, body, "k", limits(assemble.KeepAll))
		require.Equal(t, err != nil, result.Refused)
		r := result.Report
		require.Equal(t, r.Received, r.Accepted+r.Rejected)
		require.Equal(t, []int{seen.Executions, seen.Rejected}, []int{r.Accepted, r.Rejected})
		for _, block := range result.Blocks {
			raw, err := json.Marshal(block)
			require.NoError(t, err)
			require.True(t, json.Valid(raw))
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	packed, err := os.ReadFile(recordedFolder + "otlp-py-batch512.body")
	require.NoError(b, err)
	body, err := unpack.Append(unpack.Gzip, nil, packed, 1<<20)
	require.NoError(b, err)
	run := func(name string, work func() int) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			spans := 0
			before := cputime.Used(b)
			for b.Loop() {
				spans = work()
			}
			b.ReportMetric(float64(b.N*spans)/(cputime.Used(b)-before).Seconds(), "spans/cpu-s")
		})
	}
	run("decode", func() int { return Decode(testFacts, Protobuf, body, "k", limits(assemble.KeepFailed)).Report.Accepted })
	run("look", func() int {
		seen, err := Look(Protobuf, body, "k", 128)
		require.NoError(b, err)
		return seen.Executions
	})
	run("reference", func() int {
		request := new(trace.TracesData)
		require.NoError(b, proto.Unmarshal(body, request))
		return len(request.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans())
	})
}
