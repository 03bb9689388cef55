package junit

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/tests/cputime"
)

func feed(body string) (assemble.Result, error) {
	limits := assemble.DefaultLimits()
	limits.KeepDetails = assemble.KeepAll
	builder := assemble.New(assemble.Facts{UploadID: "up_1", Org: "o", Suite: "s"}, Format, limits)
	if err := Feed(builder, []byte(body)); err != nil {
		return builder.Refuse(err, ""), err
	}
	return builder.Finish(), nil
}

// lines writes executions in short.
func lines(result assemble.Result) string {
	var out []string
	for _, block := range result.Blocks {
		for i := range block.Executions {
			e := &block.Executions[i]
			line := fmt.Sprintf("%s|%s %s", e.Scope, e.Name, e.Result)
			if e.HasDuration {
				line += fmt.Sprintf(" %vs", e.Duration)
			}
			if e.FailureReason != "" {
				line += " (" + e.FailureReason + ")"
			}
			if e.SuiteError {
				line += " suite error"
			}
			out = append(out, line)
		}
	}
	return strings.Join(out, "; ")
}

func TestTestCasesBecomeExecutions(t *testing.T) {
	tests := []struct {
		name string
		xml  string
		want string
	}{
		{"a case without children passed", `<testsuites><testsuite><testcase classname="c" name="n" time="0.5"/></testsuite></testsuites>`, "c|n passed 0.5s"},
		{"a suite may be the root", `<testsuite><testcase classname="c" name="n"></testcase></testsuite>`, "c|n passed"},
		{"no cases are no executions", `<testsuites/>`, ""},
		{"a failure's message is the reason", `<testsuite><testcase name="n"><failure message="no &lt;b&gt;"/></testcase></testsuite>`, "|n failed (no <b>)"},
		{"a failure's first line is, when there is no message", "<testsuite><testcase name=\"n\"><failure>\n  one\n two</failure></testcase></testsuite>", "|n failed (one)"},
		{"comments are passed over, whatever dashes stand in them", `<!-----><testsuite><!-- a -- b ---><testcase name="n"/></testsuite>`, "|n passed"},
		{"CDATA is text", `<testsuite><testcase name="n"><failure><![CDATA[a < b && c]]></failure></testcase></testsuite>`, "|n failed (a < b && c)"},
		{"an error is a failure", `<testsuite><testcase name="n"><error message="boom"/></testcase></testsuite>`, "|n failed (boom)"},
		{"a skipped case keeps its reason", `<testsuite><testcase name="n"><skipped message="later"/></testcase></testsuite>`, "|n skipped (later)"},
		{"googletest's disabled case is skipped", `<testsuite><testcase name="n" status="notrun"/></testsuite>`, "|n skipped"},
		{"attempts that failed come before the one that passed", `<testsuite><testcase name="n" time="2"><flakyFailure message="a" time="1"/><flakyError message="b"/></testcase></testsuite>`, "|n failed 1s (a); |n failed (b); |n passed 2s"},
		{"each attempt of a case that never passed is an execution", `<testsuite><testcase name="n" time="2"><failure message="a"/><rerunFailure message="b"/></testcase></testsuite>`, "|n failed 2s (a); |n failed (b)"},
		{"the suite's name stands in for an empty class", `<testsuites><testsuite name="s"><testcase classname="" name="n"/></testsuite></testsuites>`, "s|n passed"},
		{"the innermost suite's name counts", `<testsuites><testsuite name="a"><testsuite name="b"><testcase name="n"/></testsuite><testcase name="m"/></testsuite></testsuites>`, "b|n passed; a|m passed"},
		{"a suite without a name leaves that of the suite around it", `<testsuite name="a"><testsuite><testcase name="n"/></testsuite></testsuite>`, "a|n passed"},
		{"properties and output are passed over", `<testsuite><properties><property name="x" value="y"/></properties><testcase name="n"><system-out>o<b/></system-out></testcase><system-err/></testsuite>`, "|n passed"},
		{"a package that does not build is a suite error", `<testsuite name="p"><testcase classname="" name="TestMain"><failure message="Failed">FAIL p [build failed]</failure></testcase></testsuite>`, "p|TestMain failed (FAIL p [build failed]) suite error"},
		{"a file that pytest cannot import is a suite error", `<testsuite name="pytest"><testcase classname="" name="a.b"><error message="collection failure">x</error></testcase></testsuite>`, "pytest|a.b failed (collection failure) suite error"},
		{"thousands may be grouped", `<testsuite><testcase name="n" time="1,234.5"/></testsuite>`, "|n passed 1234.5s"},
		{"entities, numbers and line ends are replaced", "<testsuite><testcase name='&quot;&#65;&#x42;&amp;&apos;\r\n'/></testsuite>", "|\"AB&'\n passed"},
		{"control characters and broken UTF-8 do not lose a file", "<testsuite><testcase name=\"a\x1b\xff\"/></testsuite>", "|a\uFFFD\uFFFD passed"},
		{"Latin-1 is understood", "<?xml version='1.0' encoding='ISO-8859-1'?><testsuite><testcase name='caf\xe9'/></testsuite>", "|café passed"},
		{"Windows-1252 is, with what Latin-1 does not have", "<?xml version=\"1.0\" encoding=\"windows-1252\"?><testsuite><testcase name='\x80 \x93q\x94'/></testsuite>", "|€ “q” passed"},
		{"what is called Latin-1 is read as Windows-1252, as browsers do", "<?xml version='1.0' encoding='ISO-8859-1'?><testsuite><testcase name='\x80'/></testsuite>", "|€ passed"},
		{"Cyrillic is", "<?xml version='1.0' encoding = 'Windows-1251' standalone='yes'?><testsuite><testcase name='\xf2\xe5\xf1\xf2'/></testsuite>", "|тест passed"},
		{"Japanese is", "<?xml version='1.0' encoding='Shift_JIS'?><testsuite><testcase name='\x83e\x83X\x83g'/></testsuite>", "|テスト passed"},
		{"Chinese is", "<?xml version='1.0' encoding='GBK'?><testsuite><testcase name='\xb2\xe2\xca\xd4'/></testsuite>", "|测试 passed"},
		{"UTF-8 that says it were UTF-16, as .NET writes it, is UTF-8", "<?xml version='1.0' encoding='utf-16'?><testsuite><testcase name='é'/></testsuite>", "|é passed"},
		{"an encoding nobody knows is UTF-8", "<?xml version='1.0' encoding='cp65001'?><testsuite><testcase name='é'/></testsuite>", "|é passed"},
		{"a byte order mark is passed over", "\xef\xbb\xbf<?xml version='1.0'?><testsuite><testcase name='n'/></testsuite>", "|n passed"},
		{"a document type that declares nothing is passed over", "<!DOCTYPE testsuite><testsuite><testcase name='n'/></testsuite>", "|n passed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result, err := feed(test.xml)
			require.NoError(t, err)
			require.NoError(t, check([]byte(test.xml), 128))
			require.Equal(t, test.want, lines(result))
			require.Zero(t, result.Report.Rejected)
		})
	}
}

func TestBrokenDocumentsAreRefusedWithTheOffset(t *testing.T) {
	tests := []struct {
		name   string
		xml    string
		offset int
		reason string
	}{
		{"nothing", "", 0, "it ends too early"},
		{"another root", "<html></html>", 6, wrongRoot},
		{"an end tag of another element", "<testsuite><a></b></testsuite>", 14, "this end tag does not match the start tag"},
		{"a document cut off", "<testsuite><testcase name=\"n\">", 30, "it ends too early"},
		{"an attribute cut off", "<testsuite name=\"n", 18, "it ends too early"},
		{"an attribute without quotes", "<testsuite name=n>", 16, "the value of an attribute must stand in quotes"},
		{"an attribute given twice", "<testsuite a='1' a='2'>", 17, "this attribute is given twice"},
		{"attributes that touch", "<testsuite a='1'b='2'>", 16, "white space is expected before an attribute"},
		{"a < in an attribute", "<testsuite a='<'>", 14, "< must not stand in an attribute"},
		{"an entity nobody declared", "<testsuite>&nbsp;</testsuite>", 11, "this entity is not known"},
		{"a bare ampersand", "<testsuite a='b & c'/>", 16, "this entity is not known"},
		{"a document type with entities", "<!DOCTYPE x [<!ENTITY a 'b'>]><testsuite/>", 12, "document types with declarations of their own are refused"},
		{"a second root", "<testsuite/><testsuite/>", 12, "a second root element stands here"},
		{"text behind the root", "<testsuite/>x", 12, "text stands outside the root element"},
		{"a comment without end", "<testsuite><!-- ", 16, "it ends too early"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result, err := feed(test.xml)
			want := &assemble.SyntaxError{Format: "XML", Offset: test.offset, Reason: test.reason}
			require.Equal(t, want, err)
			require.Equal(t, want, check([]byte(test.xml), 128))
			require.True(t, result.Refused)
		})
	}
}

func TestDepthIsLimited(t *testing.T) {
	deep := strings.Repeat("<testsuite>", 200) + strings.Repeat("</testsuite>", 200)
	_, err := feed(deep)
	require.ErrorContains(t, err, "it nests too deep")
	require.ErrorContains(t, check([]byte(deep), 128), "it nests too deep")
}

func TestCasesWithoutNameAreRejectedAlone(t *testing.T) {
	result, err := feed(`<testsuite><testcase name="a"/><testcase classname="c" time="1"/><testcase name=""/><testcase name="b"/></testsuite>`)
	require.NoError(t, err)
	require.Equal(t, "|a passed; |b passed", lines(result))
	require.Equal(t, 4, result.Report.Received)
	require.Equal(t, 2, result.Report.Rejected)
	require.Equal(t, testengine.Problem{Index: 1, Field: "name", Reason: "missing", Snippet: `<testcase classname="c" time="1"/>`}, result.Report.Problems[0])
	require.Equal(t, 3, result.Blocks[0].Executions[1].Index)
}

func TestDetailsAreLinesOfJSON(t *testing.T) {
	result, err := feed("<testsuite file='./a/b.js'><testcase name='n' line='3'><failure>\none\t\"x\"\n  <![CDATA[<two>]]>\n</failure></testcase></testsuite>")
	require.NoError(t, err)
	e := result.Blocks[0].Executions[0]
	require.JSONEq(t, `[{"expanded":["one\t\"x\"","  <two>"]}]`, string(e.FailureExpanded()))
	require.Equal(t, "a/b.js", e.File)
	require.Equal(t, "a/b.js:3", e.Location)
}

func TestEdgeCasesOfTheField(t *testing.T) {
	tests := []struct {
		file     string
		accepted int
		rejected int
		failed   int
		broken   bool
	}{
		{"kettle-standard.xml", 8, 0, 1, false},
		{"kettle-failure_message.xml", 1, 0, 1, false},
		{"kettle-failure_text.xml", 1, 0, 1, false},
		{"kettle-junit_no_suite_name.xml", 3, 0, 1, false},
		{"kettle-malformed.xml", 0, 0, 0, true},
		{"kettle-malformed_no_testcase_name.xml", 6, 2, 1, false},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			body, err := os.ReadFile(filepath.Join("../../../tests/testdata/junit-edge", test.file))
			require.NoError(t, err)
			result, err := feed(string(body))
			require.Equal(t, test.broken, err != nil, "%v", err)
			require.Equal(t, test.accepted, result.Report.Accepted)
			require.Equal(t, test.rejected, result.Report.Rejected)
			require.Equal(t, test.failed, strings.Count(lines(result), " failed"))
		})
	}
}

// What must hold: nothing panics, Look says the same as Feed, executions are
// valid UTF-8 and come back from their JSON, and what Feed takes has tags that
// match as encoding/xml sees them (it is stricter about characters).
func FuzzFeed(f *testing.F) {
	f.Add(`<testsuites><testsuite name="s"><testcase classname="c" name="n" time="0.5"><failure message="m">t</failure></testcase></testsuite></testsuites>`)
	f.Add("<?xml version='1.0'?><!-- c --><testsuite a='&#65;'><testcase name='n'><![CDATA[x]]><flakyFailure/></testcase></testsuite>")
	f.Add("<?xml version='1.0' encoding='Shift_JIS'?><testsuite><testcase name='\x83e\x83'/></testsuite>")
	f.Add("<testsuite><testcase/><testcase name='\xff\x1b'/><!DOCTYPE></testsuite>")
	f.Fuzz(func(t *testing.T, body string) {
		result, err := feed(body)
		checked := check([]byte(body), 128)
		require.Equal(t, err, checked)
		require.Equal(t, result.Report.Received, result.Report.Accepted+result.Report.Rejected)
		for _, block := range result.Blocks {
			raw, err := json.Marshal(block.Executions)
			require.NoError(t, err)
			var back []testengine.Execution
			require.NoError(t, json.Unmarshal(raw, &back))
			for i := range back {
				require.Equal(t, block.Executions[i].Name, back[i].Name)
				require.Equal(t, block.Executions[i].FailureReason, back[i].FailureReason)
			}
		}
		if err == nil && !wellFormed(body) {
			t.Fatalf("%q was taken", body)
		}
	})
}

func BenchmarkFeed(b *testing.B) {
	var doc strings.Builder
	doc.WriteString(`<?xml version="1.0" encoding="UTF-8"?><testsuites><testsuite name="suite">`)
	const cases = 5000
	for i := range cases {
		fmt.Fprintf(&doc, "\n    <testcase classname=\"com.acme.money.InvoiceTest%d\" name=\"adds the VAT once, case %d\" time=\"0.%03d\"", i%40, i, i%1000)
		if i%50 == 0 {
			doc.WriteString("><failure message=\"expected 120.0, got 144.0\" type=\"AssertionError\">" +
				strings.Repeat("    at com.acme.money.Invoice.total(Invoice.java:42) &lt;init&gt;\n", 12) + "</failure></testcase>")
		} else {
			doc.WriteString("/>")
		}
	}
	doc.WriteString("</testsuite></testsuites>")
	body := []byte(doc.String())
	run := func(name string, work func()) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			before := cputime.Used(b)
			for b.Loop() {
				work()
			}
			b.ReportMetric(float64((cputime.Used(b)-before).Nanoseconds())/float64(b.N*cases), "cpu-ns/execution")
		})
	}
	run("feed", func() {
		builder := assemble.New(assemble.Facts{UploadID: "up"}, Format, assemble.DefaultLimits())
		if err := Feed(builder, body); err != nil || builder.Finish().Report.Accepted != cases {
			b.Fatal(err)
		}
	})
	run("check", func() {
		if err := check(body, 128); err != nil {
			b.Fatal(err)
		}
	})
	run("encoding_xml", func() {
		if !wellFormed(string(body)) {
			b.Fatal("not well formed")
		}
	})
}

// check says what is wrong with a document.
func check(body []byte, maxDepth int) error {
	_, err := Look(body, maxDepth)
	return err
}
