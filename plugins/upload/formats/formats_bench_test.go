package formats

import (
	"fmt"
	"strings"
	"testing"

	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/bodies"
	"github.com/connect-testengine/connect-testengine/tests/cputime"
)

const benchTests = 1700

// failing is every fiftieth test.
func failing(i int) bool { return i%50 == 0 }

func joined(separator string, each func(i int) string) string {
	parts := make([]string, benchTests)
	for i := range parts {
		parts[i] = each(i)
	}
	return strings.Join(parts, separator)
}

func pick(i int, bad, good string) string {
	if failing(i) {
		return bad
	}
	return good
}

var stack = strings.Repeat(`\n    at Object.toBe (/ci/job/app/src/money.test.js:4:76)`, 12)

// benchFiles are files of 1,700 tests as their runners write them.
func benchFiles() map[string][]byte {
	form := func(format, data string) []byte {
		return []byte("--x\r\nContent-Disposition: form-data; name=\"format\"\r\n\r\n" + format +
			"\r\n--x\r\nContent-Disposition: form-data; name=\"run_env[key]\"\r\n\r\nb-91" +
			"\r\n--x\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n" + data + "\r\n--x--\r\n")
	}
	return map[string][]byte{
		"rspec-json": form("rspec-json", `{"version":"3.13","examples":[`+joined(",", func(i int) string {
			return fmt.Sprintf(`{"id":"./spec/a_%d_spec.rb[1:%d]","description":"adds VAT once %d","full_description":"Invoice totals adds VAT once %d","status":%q,"file_path":"./spec/a_%d_spec.rb","line_number":%d,"run_time":0.00147282,"pending_message":null%s}`,
				i/40, i, i, i, pick(i, "failed", "passed"), i/40, i, pick(i, `,"exception":{"class":"E","message":"\nexpected: 2\n     got: 1","backtrace":["a.rb:102:in `+"`block'"+`","b.rb:111:in `+"`notify_failure'"+`"]}`, ""))
		})+`]}`),
		"jest-json": form("jest-json", `{"testResults":[{"assertionResults":[`+joined(",", func(i int) string {
			return fmt.Sprintf(`{"ancestorTitles":["Invoice totals","rounding"],"duration":5,"failureDetails":[],"failureMessages":[%s],"fullName":"Invoice totals rounding half even %d","invocations":1,"location":{"column":5,"line":%d},"numPassingAsserts":1,"retryReasons":[],"status":%q,"title":"half even %d"}`,
				pick(i, `"Error: expected 2\n\nreceived 3`+stack+`"`, ""), i, i, pick(i, "failed", "passed"), i)
		})+`],"endTime":1,"message":"","name":"/ci/job/app/src/money.test.js","status":"failed"}]}`),
		"playwright-json": form("playwright-json", `{"config":{"rootDir":"/ci/app"},"suites":[{"title":"m.spec.js","file":"m.spec.js","specs":[`+joined(",", func(i int) string {
			return fmt.Sprintf(`{"title":"adds VAT once %d","ok":true,"tags":[],"tests":[{"timeout":30000,"annotations":[],"expectedStatus":"passed","projectId":"","projectName":"chromium","results":[{"workerIndex":0,"status":%q,"duration":17,"errors":[%s],"stdout":[],"stderr":[],"retry":0,"startTime":"2026-11-22T06:24:27.954Z","annotations":[],"attachments":[]}],"status":"expected"}],"id":"ef6bace2f444a02021c9-%d","file":"m.spec.js","line":%d,"column":3}`,
				i, pick(i, "failed", "passed"), pick(i, `{"message":"Error: \u001b[31mexpected\u001b[39m 2`+stack+`"}`, ""), i, i)
		})+`]}],"errors":[]}`),
		"cucumber-json": form("cucumber-json", `[{"uri":"features/m.feature","name":"Money","elements":[`+joined(",", func(i int) string {
			return fmt.Sprintf(`{"id":"money;adds-%d","keyword":"Scenario","name":"adds VAT once %d","line":%d,"type":"scenario","steps":[{"keyword":"Given ","name":"an invoice of 100","line":3,"match":{"location":"a.rb:3"},"result":{"status":"passed","duration":250000}},{"keyword":"Then ","name":"its total is 120","line":4,"match":{"location":"a.rb:9"},"result":{"status":%q,"duration":250000}}]}`,
				i, i, i, pick(i, "failed", "passed"))
		})+`]}]`),
		"go-jsonl": form("go-jsonl", joined("", func(i int) string {
			head := fmt.Sprintf(`{"Time":"2026-11-22T06:10:13.256482336Z","Package":"example.com/acme/money","Test":"TestAdds%d","Action":`, i)
			return head + `"run"}` + "\n" + head + fmt.Sprintf(`"output","Output":"=== RUN   TestAdds%d\n"}`, i) + "\n" +
				head + fmt.Sprintf(`"output","Output":"--- PASS: TestAdds%d (0.00s)\n"}`, i) + "\n" + head + pick(i, `"fail"`, `"pass"`) + `,"Elapsed":0.01}` + "\n"
		})),
		"junit": form("junit", `<?xml version="1.0"?><testsuites><testsuite name="invoice" tests="1700">`+joined("\n", func(i int) string {
			return fmt.Sprintf(`<testcase classname="invoice.TotalsTest" name="addsVatOnce[%d]" file="src/test/TotalsTest.java" line="%d" time="0.013">%s</testcase>`,
				i, i, pick(i, `<failure message="expected 120 &lt; 144" type="AssertionError">`+strings.ReplaceAll(stack, `\n`, "\n")+`</failure>`, ""))
		})+`</testsuite></testsuites>`),
	}
}

// Each format beside the collectors' own: what an execution costs, and a byte.
func BenchmarkFormats(b *testing.B) {
	files := benchFiles()
	run := func(name, contentType string, body []byte) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			accepted := 0
			before := cputime.Used(b)
			for b.Loop() {
				result := Decode(assemble.Facts{UploadID: "up_1", Org: "acme", Suite: "api"}, contentType, body, assemble.DefaultLimits())
				accepted = result.Report.Accepted
			}
			if accepted != benchTests {
				b.Fatalf("%d of %d executions were accepted", accepted, benchTests)
			}
			spent := cputime.Used(b) - before
			b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N*accepted), "cpu-ns/execution")
			b.ReportMetric(float64(b.N*len(body))/1e6/spent.Seconds(), "MB/cpu-s")
		})
	}
	run("json", "application/json", bodies.Generate(1, bodies.MB1))
	for _, name := range names()[1:] {
		run(name, "multipart/form-data; boundary=x", files[name])
	}
}
