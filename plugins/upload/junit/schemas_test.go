package junit

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Documents after the schemas of the tools that write most of the world's JUnit.
func TestFilesOfToolsAreRead(t *testing.T) {
	tests := []struct {
		name string
		xml  string
		want []string
		at   string // location of the last
	}{
		{"surefire with reruns", `<?xml version="1.0" encoding="UTF-8"?>
<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" version="3.0.2" name="com.acme.InvoiceTest" time="0.112" tests="3" errors="0" skipped="0" failures="1" flakes="1">
  <properties><property name="java.version" value="21"/></properties>
  <testcase name="flaky" classname="com.acme.InvoiceTest" time="0.02">
    <flakyFailure message="expected: &lt;2&gt; but was: &lt;1&gt;" type="org.opentest4j.AssertionFailedError" time="0.5">
      <stackTrace><![CDATA[org.opentest4j.AssertionFailedError: expected: <2> but was: <1>
	at com.acme.InvoiceTest.flaky(InvoiceTest.java:12)]]></stackTrace>
      <system-out><![CDATA[first]]></system-out>
    </flakyFailure>
  </testcase>
  <testcase name="broken" classname="com.acme.InvoiceTest" time="0.01">
    <failure message="boom" type="java.lang.RuntimeException"><![CDATA[java.lang.RuntimeException: boom]]></failure>
    <rerunFailure message="boom again" type="java.lang.RuntimeException"><stackTrace>java.lang.RuntimeException: boom again</stackTrace></rerunFailure>
    <rerunError type="java.lang.Error"><stackTrace/><system-err/></rerunError>
    <system-out>log</system-out>
  </testcase>
  <testcase name="" classname="com.acme.SetupTest" time="0"><error type="java.lang.NoClassDefFoundError">x.y.Z</error></testcase>
</testsuite>`, []string{
			"com.acme.InvoiceTest|flaky failed 0.5s (expected: <2> but was: <1>)",
			"com.acme.InvoiceTest|flaky passed 0.02s",
			"com.acme.InvoiceTest|broken failed 0.01s (boom)",
			"com.acme.InvoiceTest|broken failed (boom again)",
			"com.acme.InvoiceTest|broken failed (java.lang.Error)",
			"|com.acme.SetupTest failed 0s (x.y.Z) suite error",
		}, ""},
		{"pytest, with its lines from zero", `<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="4" time="0.04" timestamp="2026-11-22T06:10:13" hostname="h">
<testcase classname="pkg.test_money.TestInvoice" name="test_each[a::b]" file="pkg/test_money.py" line="9" time="0.001"><properties><property name="ticket" value="7"/></properties></testcase>
<testcase classname="" name="pkg.test_broken" time="0.000"><error message="collection failure">E   ImportError</error></testcase>
<testcase classname="pkg.test_money" name="test_xfail" file="pkg/test_money.py" line="3" time="0.001"><skipped type="pytest.xfail" message="known"/></testcase>
<testcase classname="pkg.test_money" name="test_fails" file="pkg/test_money.py" line="0" time="0.001"><failure message="assert 1 == 2">def test_fails(): ...</failure><system-out>captured</system-out></testcase>
</testsuite></testsuites>`, []string{
			"pkg.test_money.TestInvoice|test_each[a::b] passed 0.001s",
			"pytest|pkg.test_broken failed 0s (collection failure) suite error",
			"pkg.test_money|test_xfail skipped 0.001s (known)",
			"pkg.test_money|test_fails failed 0.001s (assert 1 == 2)",
		}, "pkg/test_money.py:1"},
		{"gotestsum, with suites that have no name", `<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="2" failures="2" errors="0" time="0.1">
	<testsuite tests="1" failures="1" time="0.000000" name="example.com/acme/broken" timestamp="0001-01-01T00:00:00Z">
		<properties><property name="go.version" value="go1.26"></property></properties>
		<testcase classname="" name="TestMain" time="0.000000"><failure message="Failed" type="">FAIL	example.com/acme/broken [build failed]&#xA;</failure></testcase>
	</testsuite>
	<testsuite tests="1" failures="1" time="0.004000" name="" timestamp="0001-01-01T00:00:00Z">
		<testcase classname="example.com/acme/money" name="TestTable/b/c" time="0.250000"><failure message="Failed" type="">=== RUN   TestTable/b/c&#xA;    money_test.go:4: expected 120, got 144&#xA;--- FAIL: TestTable/b/c (0.25s)&#xA;</failure></testcase>
	</testsuite>
</testsuites>`, []string{
			"example.com/acme/broken|TestMain failed 0s (FAIL\texample.com/acme/broken [build failed]) suite error",
			"example.com/acme/money|TestTable/b/c failed 0.25s (money_test.go:4: expected 120, got 144)",
		}, ""},
		{"PHPUnit, with a suite for each data provider", `<?xml version="1.0" encoding="UTF-8"?>
<testsuites><testsuite name="/app/phpunit.xml" tests="3" assertions="3"><testsuite name="unit"><testsuite name="Acme\MoneyTest" file="/app/tests/MoneyTest.php">
<testcase name="testAdds" class="Acme\MoneyTest" classname="Acme.MoneyTest" file="/app/tests/MoneyTest.php" line="9" assertions="1" time="0.002"/>
<testsuite name="Acme\MoneyTest::testEach"><testcase name="testEach with data set #0" class="Acme\MoneyTest" file="/app/tests/MoneyTest.php" line="20" assertions="1" time="0.001"/>
<testcase name="testEach with data set #1" file="/app/tests/MoneyTest.php" line="20" time="0.001"><failure type="PHPUnit\Framework\ExpectationFailedException">Acme\MoneyTest::testEach with data set #1
Failed asserting that 2 is 3.</failure></testcase></testsuite></testsuite></testsuite></testsuite></testsuites>`, []string{
			"Acme.MoneyTest|testAdds passed 0.002s",
			"Acme\\MoneyTest|testEach with data set #0 passed 0.001s",
			"Acme\\MoneyTest::testEach|testEach with data set #1 failed 0.001s (Acme\\MoneyTest::testEach with data set #1)",
		}, "/app/tests/MoneyTest.php:20"},
		{"NUnit's own", `<?xml version="1.0" encoding="utf-8"?><test-run id="0" testcasecount="4" result="Failed"><command-line><![CDATA[x]]></command-line>
<test-suite type="Assembly" name="Acme.dll"><environment os-version="x"/><test-suite type="TestFixture" name="MoneyTests" fullname="Acme.MoneyTests" classname="Acme.MoneyTests">
<test-case id="1" name="Adds(1,2)" fullname="Acme.MoneyTests.Adds(1,2)" methodname="Adds" classname="Acme.MoneyTests" result="Passed" duration="0.023"><output><![CDATA[hi]]></output></test-case>
<test-case id="2" name="Fails" fullname="Acme.MoneyTests.Fails" result="Failed" duration="0.5"><failure><message><![CDATA[  Expected: 2
  But was:  1]]></message><stack-trace><![CDATA[at Acme.MoneyTests.Fails()]]></stack-trace></failure></test-case>
<test-case id="3" name="Later" classname="Acme.MoneyTests" result="Skipped" label="Ignored"><reason><message><![CDATA[not yet]]></message></reason></test-case>
<test-case id="4" name="Unsure" classname="Acme.MoneyTests" result="Inconclusive"/></test-suite></test-suite></test-run>`, []string{
			"Acme.MoneyTests|Adds(1,2) passed 0.023s",
			"Acme.MoneyTests|Fails failed 0.5s (Expected: 2)",
			"Acme.MoneyTests|Later skipped (not yet)",
			"Acme.MoneyTests|Unsure unknown",
		}, ""},
		{
			"several failures of one attempt are one execution", `<testsuite name="s"><testcase name="n" classname="c" file="a.cc" line="7"><failure message="a">x</failure><failure message="b"/><error message="c">y</error></testcase></testsuite>`,
			[]string{"c|n failed (a)"},
			"a.cc:7",
		},
		{
			"a suite that fails outside of its cases", `<testsuites><testsuite name="s"><error message="no database">x</error><testcase name="n"/></testsuite></testsuites>`,
			[]string{"|s failed (no database) suite error", "s|n passed"},
			"",
		},
		{
			"a failure that only the status tells of", `<testsuite name="ctest"><testcase name="n" status="fail"/><testcase name="m" status="run"/></testsuite>`,
			[]string{"ctest|n failed (fail)", "ctest|m passed"},
			"",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result, err := feed(test.xml)
			require.NoError(t, err)
			require.NoError(t, check([]byte(test.xml), 128))
			require.Equal(t, test.want, strings.Split(lines(result), "; "))
			executions := result.Blocks[0].Executions
			require.Equal(t, test.at, executions[len(executions)-1].Location)
			require.Equal(t, result.Report.Received, result.Report.Accepted+result.Report.Rejected)
		})
	}
}

func TestAllFailuresOfAnAttemptAreKept(t *testing.T) {
	result, err := feed(`<testsuite><testcase name="n"><failure message="a">x</failure><failure message="b"/><error message="c">y</error></testcase></testsuite>`)
	require.NoError(t, err)
	require.JSONEq(t, `[{"expanded":["x"]},{"expanded":["b"]},{"expanded":["y"]}]`, string(result.Blocks[0].Executions[0].FailureExpanded()))
}
