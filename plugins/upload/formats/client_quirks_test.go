package formats

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

func named(executions []testengine.Execution, name string) (all []testengine.Execution) {
	for i := range executions {
		if executions[i].Name == name {
			all = append(all, executions[i])
		}
	}
	return all
}

// What clients do that nobody would expect of them, on their recorded requests.

func TestTheWorkerIsATagOfTheUpload(t *testing.T) {
	for _, name := range []string{"py-full", "js-jest", "rb-rspec"} {
		result, _ := decodeRecorded(t, name)
		worker, sent := result.Blocks[0].Upload.Tag("ci.worker.id")
		require.True(t, sent, name)
		require.Equal(t, "agent-7", worker, name)
	}
}

func TestAMissingResultIsUnknownAndCounted(t *testing.T) {
	for name, missing := range map[string]int{"py-reruns": 4, "py-reruns-passing": 1, "py-full": 2, "js-jest": 0} {
		result, executions := decodeRecorded(t, name)
		require.Equal(t, missing, result.Report.WithoutResult, name)
		require.Equal(t, result.Report.Received, result.Report.Accepted, name)
		unknown := 0
		for i := range executions {
			if executions[i].Result == testengine.ResultUnknown {
				require.False(t, executions[i].Result.Decisive(), "it is no evidence")
				unknown++
			}
		}
		require.Equal(t, missing, unknown, name)
	}
}

func TestARetryInsideTheRunnerIsEvidence(t *testing.T) {
	for name, test := range map[string]string{
		"js-vitest2": "flaky retried", "js-vitest3": "flaky retried",
		"bktec-vitest-v3-post-uploads": "flaky retried", "bktec-jest-v3-post-uploads": "flaky retried",
	} {
		_, executions := decodeRecorded(t, name)
		found := named(executions, test)
		require.Len(t, found, 1, name)
		require.True(t, found[0].RetriedInside(), name)
	}
	for _, name := range []string{"js-playwright", "bktec-playwright-v3-post-uploads"} {
		_, executions := decodeRecorded(t, name)
		found := named(executions, "flaky retried")
		require.Len(t, found, 2, name)
		require.Equal(t, []testengine.Result{testengine.ResultFailed, testengine.ResultPassed}, []testengine.Result{found[0].Result, found[1].Result}, name)
		require.Equal(t, found[0].TestID, found[1].TestID)
	}
}

// What a runner ran again by itself is told as executions, or as one that says
// nothing of the others.
func TestWhatRanAgainIsAnExecutionWhereTheRunnerTellsIt(t *testing.T) {
	_, executions := decodeRecorded(t, "curl-junit-rerun") // gotestsum --rerun-fails
	found := named(executions, "TestFlaky")
	require.Len(t, found, 2)
	require.Equal(t, []testengine.Result{testengine.ResultFailed, testengine.ResultPassed}, []testengine.Result{found[0].Result, found[1].Result})
	require.Equal(t, found[0].TestID, found[1].TestID)
	for _, name := range []string{"js-jest", "js-mocha-bare", "js-mocha-multi"} {
		_, executions := decodeRecorded(t, name)
		found := named(executions, "flaky retried")
		require.Len(t, found, 1, name)
		require.Equal(t, testengine.ResultPassed, found[0].Result, name)
		require.False(t, found[0].RetriedInside(), name)
	}
}

func TestWordsForWhatWasNotRunAreNoEvidence(t *testing.T) {
	for _, name := range []string{
		"js-jest", "js-vitest2", "js-vitest3", "js-mocha-bare", "js-mocha-multi", "js-jasmine", "js-playwright", "rb-minitest",
		"bktec-jest-v3-post-uploads", "bktec-vitest-v3-post-uploads", "bktec-rspec-v3-post-uploads", "bktec-gotest-v3-post-uploads",
	} {
		_, executions := decodeRecorded(t, name)
		for i := range executions {
			e := &executions[i]
			if strings.Contains(strings.ToLower(e.Name), "skip") || strings.Contains(e.Name, "todo") || strings.Contains(e.Name, "pending") {
				require.Contains(t, []testengine.Result{testengine.ResultSkipped, testengine.ResultPending}, e.Result, "%s %s", name, e.Name)
				require.False(t, e.Result.Decisive())
			}
		}
	}
}

func TestWordsOfEachRunner(t *testing.T) {
	for _, test := range []struct {
		client, name string
		want         testengine.Result
	}{
		{"js-jest", "skipped one", testengine.ResultPending},
		{"js-jest", "todo one", testengine.ResultSkipped},
		{"js-vitest3", "skipped one", testengine.ResultSkipped},
		{"js-vitest3", "todo one", testengine.ResultPending},
		{"js-mocha-bare", "skipped one", testengine.ResultPending},
		{"py-full", "test_xfail", testengine.ResultSkipped},
		{"py-full", "test_xpass", testengine.ResultPassed},
	} {
		_, executions := decodeRecorded(t, test.client)
		require.Equal(t, test.want, named(executions, test.name)[0].Result, "%s %s", test.client, test.name)
	}
}

// An absent reason is none: it makes no evidence of a passed test, and a failed
// one stays failed.
func TestAnAbsentReasonSaysNothing(t *testing.T) {
	_, vitest := decodeRecorded(t, "js-vitest3")
	passed := named(vitest, "adds VAT once")[0]
	require.Empty(t, passed.FailureReason)
	require.False(t, passed.RetriedInside())
	_, mocha := decodeRecorded(t, "js-mocha-bare")
	failed, pending := named(mocha, "fails")[0], named(mocha, "pending one")[0]
	require.Equal(t, testengine.ResultFailed, failed.Result)
	require.Empty(t, failed.FailureReason)
	require.False(t, pending.HasDuration, "a test that did not run took no time, not 0 s")
	_, rspec := decodeRecorded(t, "rb-rspec")
	require.NotEmpty(t, rspec[0].ExternalID())
	_, minitest := decodeRecorded(t, "rb-minitest")
	require.Empty(t, minitest[0].ExternalID())
}

func TestAbsentFieldsLoseNothing(t *testing.T) {
	for _, name := range []string{"js-mocha-bare", "js-mocha-multi", "js-cypress-under-mocha", "rb-minitest", "rb-rspec", "js-vitest3"} {
		result, executions := decodeRecorded(t, name)
		require.Zero(t, result.Report.Rejected, name)
		require.Empty(t, result.Report.Problems, name)
		require.NotEmpty(t, executions)
	}
}

func TestLocationsAreOfOneKind(t *testing.T) {
	_, python := decodeRecorded(t, "py-full")
	require.Equal(t, "pkg/test_money.py:3", named(python, "test_adds_vat")[0].Location, "pytest counts from zero")
	_, ruby := decodeRecorded(t, "rb-rspec")
	require.Equal(t, "spec/invoice_spec.rb:4", ruby[0].Location, "./ is stripped")
	_, playwright := decodeRecorded(t, "js-playwright")
	require.True(t, strings.HasPrefix(playwright[0].Scope, "  money.spec.js"), "what names a test is not trimmed")
}

func TestPytestsTestsAreNamedByScopeAndParameters(t *testing.T) {
	_, executions := decodeRecorded(t, "py-full")
	require.Equal(t, "pkg/test_money.py::TestInvoice::test_each[a", named(executions, "b]")[0].Scope)
	require.Len(t, named(executions, `test_each[\u65e5\u672c]`), 1)
	result, broken := decodeRecorded(t, "py-collection-error")
	require.True(t, broken[0].SuiteError)
	require.Empty(t, broken[0].Scope)
	require.Equal(t, broken[0].File, broken[0].Name)
	require.Equal(t, 1, result.Report.SuiteErrors)
	require.Equal(t, testengine.ResultPassed, named(executions, "test_error_in_teardown")[0].Result, "as it is sent")
}

func TestAnUploadOfNothingIsNormal(t *testing.T) {
	result, executions := decodeRecorded(t, "py-empty")
	require.Empty(t, executions)
	require.Empty(t, result.Blocks)
	require.False(t, result.Refused)
	require.Empty(t, result.Report.Problems)
	require.NotEmpty(t, result.Report.RunKey)
}

func TestAGoPackageThatDoesNotBuildIsNoTest(t *testing.T) {
	_, executions := decodeRecorded(t, "curl-junit")
	require.True(t, executions[0].SuiteError)
	require.NotEqual(t, executions[0].TestID, executions[1].TestID, "each package is its own")
	_, subtests := decodeRecorded(t, "curl-junit-rerun")
	require.NotEmpty(t, named(subtests, "TestTable"))
	require.NotEmpty(t, named(subtests, "TestTable/b/c"))
	lines := `{"Action":"output","Package":"example.com/acme/money/broken","Output":"FAIL [build failed]\n"}` + "\n" +
		`{"Action":"fail","Package":"example.com/acme/money/broken"}` + "\n"
	result := Decode(assemble.Facts{Org: "acme", Suite: "api"}, formType, form("format", "go-jsonl", "data", lines), assemble.DefaultLimits())
	e := result.Blocks[0].Executions[0]
	require.True(t, e.SuiteError)
	require.Equal(t, executions[1].TestID, e.TestID, "both files of gotestsum name it alike")
}

func TestARetryFileThatTellsOfOtherTestsAgainIsNoEvidence(t *testing.T) {
	_, first := decodeRecorded(t, "bktec-jest-v3-post-uploads")
	_, retry := decodeRecorded(t, "bktec-jest-v3-post-uploads-2")
	passed := named(first, "adds VAT once")[0]
	again := named(retry, "adds VAT once")[0]
	require.Equal(t, passed.TestID, again.TestID)
	require.Equal(t, testengine.ResultPassed, passed.Result)
	require.False(t, again.Result.Decisive(), "pending behind passed says nothing")
	_, whole := decodeRecorded(t, "bktec-gotest-v3-post-uploads")
	_, once := decodeRecorded(t, "bktec-gotest-v3-post-uploads-2")
	require.Len(t, once, len(whole), "go test runs the whole package again")
	for i := range whole {
		require.Equal(t, whole[i].TestID, once[i].TestID)
	}
}

// A runner's own file and its collector name the same tests alike, so that who
// changes from one to the other keeps the histories.
func TestFilesAndCollectorsNameTestsAlike(t *testing.T) {
	tests := []struct {
		collector, file string
		names           []string
	}{
		{"js-playwright", "bktec-playwright-v3-post-uploads", []string{"adds VAT once @smoke", "fails", "skipped one", "flaky retried"}},
		{"js-jest", "bktec-jest-v3-post-uploads", []string{"adds VAT once", "skipped one", "todo one", "flaky retried", "each 1", "object diff"}},
		{"js-vitest3", "bktec-vitest-v3-post-uploads", []string{"adds VAT once", "fails", "skipped one", "todo one", "flaky retried"}},
		{"rb-rspec", "bktec-rspec-v3-post-uploads", []string{"adds VAT once", "fails", "pending one"}},
	}
	for _, test := range tests {
		_, sent := decodeRecorded(t, test.collector)
		_, read := decodeRecorded(t, test.file)
		for _, name := range test.names {
			require.Equal(t, named(sent, name)[0].TestID, named(read, name)[0].TestID, "%s of %s", name, test.file)
		}
	}
}

func TestSelectorsOfRealUploads(t *testing.T) {
	tests := []struct{ recorded, name, want string }{
		{"bktec-gotest-v3-post-uploads", "TestFails", "example.com/acme/money"},
		{"bktec-rspec-v3-post-uploads", "fails", "spec/invoice_spec.rb"},
		{"bktec-jest-v3-post-uploads", "adds VAT once", "src/money.test.js"},
		{"bktec-playwright-v3-post-uploads", "fails", "tests/money.spec.js"},
		{"js-jest", "adds VAT once", "__tests__/money.test.js"},
		{"py-full", "test_adds_vat", "pkg/test_money.py"},
	}
	for _, test := range tests {
		result, executions := decodeRecorded(t, test.recorded)
		e := named(executions, test.name)[0]
		require.Equal(t, test.want, result.Blocks[0].Upload.Selector(&e), test.recorded)
	}
}
