package accounting

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/formats"
)

// TestEveryFormatHasAReport: a good record and a bad one, whatever wrote them.
func TestEveryFormatHasAReport(t *testing.T) {
	in, _, store := pipeline(t)
	span := func(name string) string {
		return `{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"test.execution","startTimeUnixNano":"1","endTimeUnixNano":"2","attributes":[{"key":"test.case.name","value":{"stringValue":"` + name + `"}},{"key":"test.case.result.status","value":{"stringValue":"pass"}}]}`
	}
	for i, test := range []struct {
		format, contentType, body string
		index                     int
		field                     string
		rejected                  int
	}{
		{"json", "", `[{"name":"a"},{"result":"passed","scope":"s"}]`, 1, "name", 1},
		{"junit", "", `<testsuite><testcase name="a"/><testcase classname="s"/></testsuite>`, 1, "name", 1},
		{"rspec-json", "", `{"examples":[{"description":"a","full_description":"a","status":"passed"},{"status":"passed"}]}`, 1, "name", 1},
		{"jest-json", "", `{"testResults":[{"name":"f","assertionResults":[{"title":"a","status":"passed"},{"status":"passed"}]}]}`, 1, "name", 1},
		{"cucumber-json", "", `[{"name":"f","elements":[{"name":"a","type":"scenario","steps":[{"result":{"status":"passed"}}]},{"type":"scenario","steps":[{"result":{"status":"passed"}}]}]}]`, 1, "name", 1},
		{"playwright-json", "", `{"suites":[{"title":"f","specs":[{"title":"a","tests":[{"status":"expected","results":[{"status":"passed"}]}]},{"tests":[{"status":"expected","results":[{"status":"passed"}]}]}]}]}`, 1, "name", 1},
		{"go-jsonl", "", "{\"Action\":\"pass\",\"Package\":\"p\",\"Test\":\"TestA\"}\nno JSON at all\n", -1, "line", 0},
		{"otlp", formats.TracesType("application/json", ""), `{"resourceSpans":[{"scopeSpans":[{"spans":[` + span("a") + `,` + span("") + `]}]}]}`, 1, "name", 1},
	} {
		t.Run(test.format, func(t *testing.T) {
			body := test.body
			if test.contentType == "" {
				test.contentType = "multipart/form-data; boundary=cut"
				body = "--cut\r\nContent-Disposition: form-data; name=\"format\"\r\n\r\n" + test.format +
					"\r\n--cut\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n" + body + "\r\n--cut--\r\n"
			}
			m := service.NewMessage([]byte(body))
			m.MetaSetMut(testengine.MetaContentType, test.contentType)
			in.give(m, suite.Suite, began+int64(i))
			u, err := store.Upload(t.Context(), suite, message.UploadID(suite.Org, suite.Suite, []byte(body)))
			require.NoError(t, err)
			require.Equal(t, []int{1 + test.rejected, 1, test.rejected}, []int{u.Received, u.Accepted, u.Rejected}, "%+v", u.Problems)
			require.Equal(t, test.format, u.Format)
			for _, problem := range u.Problems {
				if problem.Field == test.field {
					require.Equal(t, test.index, problem.Index)
					require.NotEmpty(t, problem.Reason)
					if test.format != "otlp" { // a span without a name has nothing to show
						require.NotEmpty(t, problem.Snippet)
					}
					require.Positive(t, u.ProblemCounts[problem.Field+": "+problem.Reason])
					return
				}
			}
			require.Fail(t, "no problem names the field", "%+v", u.Problems)
		})
	}
}
