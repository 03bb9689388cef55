package formats

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func only(t *testing.T, executions []testengine.Execution, name string) testengine.Execution {
	t.Helper()
	for i := range executions {
		if executions[i].Name == name {
			return executions[i]
		}
	}
	require.Fail(t, "no execution has the name "+name)
	return testengine.Execution{}
}

// One sentence each about what collectors send, on their recorded requests.
func TestWhatRealClientsDo(t *testing.T) {
	tests := []struct {
		name     string
		recorded string
		check    func(t *testing.T, u *testengine.Upload, executions []testengine.Execution)
	}{
		{"tags behind data are tags of the upload", "py-full", func(t *testing.T, u *testengine.Upload, _ []testengine.Execution) {
			value, ok := u.Tag("ci.worker.id")
			require.True(t, ok)
			require.Equal(t, "agent-7", value)
		}},
		{"a run_env with the key ci in lower case names the CI system", "js-jest", func(t *testing.T, u *testengine.Upload, _ []testengine.Execution) {
			require.Equal(t, "buildkite", u.CI)
		}},
		{"pytest-rerunfailures sends no result, and each attempt is an execution", "py-reruns", func(t *testing.T, _ *testengine.Upload, executions []testengine.Execution) {
			require.Equal(t, executions[2].TestID, executions[3].TestID)
			require.Equal(t, testengine.ResultUnknown, executions[2].Result)
		}},
		{"Playwright's retries are executions of the same test", "js-playwright", func(t *testing.T, _ *testengine.Upload, executions []testengine.Execution) {
			require.Equal(t, executions[1].TestID, executions[2].TestID)
			require.Equal(t, testengine.ResultFailed, executions[4].Result)
			require.Equal(t, testengine.ResultPassed, executions[5].Result)
		}},
		{"Vitest's retried test is a pass and a failure, with its details kept", "js-vitest2", func(t *testing.T, _ *testengine.Upload, executions []testengine.Execution) {
			retried := only(t, executions, "flaky retried")
			require.True(t, retried.RetriedInside())
			require.NotEmpty(t, retried.FailureExpanded())
			once := only(t, executions, "adds VAT once")
			require.False(t, once.RetriedInside())
		}},
		{"Jest calls a skipped test pending and a todo skipped", "js-jest", func(t *testing.T, _ *testengine.Upload, executions []testengine.Execution) {
			require.Equal(t, testengine.ResultPending, only(t, executions, "skipped one").Result)
			require.Equal(t, testengine.ResultSkipped, only(t, executions, "todo one").Result)
		}},
		{"Vitest calls them the other way round", "js-vitest3", func(t *testing.T, _ *testengine.Upload, executions []testengine.Execution) {
			require.Equal(t, testengine.ResultSkipped, only(t, executions, "skipped one").Result)
			require.Equal(t, testengine.ResultPending, only(t, executions, "todo one").Result)
		}},
		{"Mocha's pending test has no duration", "js-mocha-multi", func(t *testing.T, _ *testengine.Upload, executions []testengine.Execution) {
			require.False(t, only(t, executions, "skipped one").HasDuration)
		}},
		{"Mocha alone sends failed tests without a reason", "js-mocha-bare", func(t *testing.T, _ *testengine.Upload, executions []testengine.Execution) {
			failed := only(t, executions, "fails")
			require.Equal(t, testengine.ResultFailed, failed.Result)
			require.Empty(t, failed.FailureReason)
			require.Empty(t, failed.FailureExpanded())
		}},
		{"an unknown key stays reachable as raw JSON", "js-cypress-under-mocha", func(t *testing.T, _ *testengine.Upload, executions []testengine.Execution) {
			require.JSONEq(t, `{"identifier":"Invoice totals fails"}`, string(only(t, executions, "fails").Details.Extra))
		}},
		{"RSpec's external id is kept", "rb-rspec", func(t *testing.T, _ *testengine.Upload, executions []testengine.Execution) {
			require.Equal(t, "e99a05b2-3766-468d-b567-e2e7cf771bdb", executions[0].ExternalID())
		}},
		{"pytest counts lines from zero, we from one", "py-full", func(t *testing.T, _ *testengine.Upload, executions []testengine.Execution) {
			require.Equal(t, "pkg/test_money.py:3", only(t, executions, "test_adds_vat").Location)
		}},
		{"RSpec's ./ is stripped", "rb-rspec", func(t *testing.T, _ *testengine.Upload, executions []testengine.Execution) {
			require.Equal(t, "spec/invoice_spec.rb", executions[0].File)
			require.Equal(t, "spec/invoice_spec.rb:4", executions[0].Location)
		}},
		{"Playwright's two spaces before the scope stay", "js-playwright", func(t *testing.T, _ *testengine.Upload, executions []testengine.Execution) {
			require.True(t, strings.HasPrefix(executions[0].Scope, "  money.spec.js"))
		}},
		{"a parameter with :: splits the scope, as pytest sent it", "py-full", func(t *testing.T, _ *testengine.Upload, executions []testengine.Execution) {
			require.Equal(t, "pkg/test_money.py::TestInvoice::test_each[a", only(t, executions, "b]").Scope)
		}},
		{"a non-ASCII parameter stays the escape that pytest wrote", "py-full", func(t *testing.T, _ *testengine.Upload, executions []testengine.Execution) {
			only(t, executions, `test_each[\u65e5\u672c]`)
		}},
		{"a file that does not import is no test", "py-collection-error", func(t *testing.T, _ *testengine.Upload, executions []testengine.Execution) {
			require.True(t, executions[0].SuiteError)
			require.Empty(t, executions[0].Scope)
		}},
		{"an upload of nothing is normal", "py-empty", func(t *testing.T, u *testengine.Upload, executions []testengine.Execution) {
			require.Nil(t, u)
			require.Empty(t, executions)
		}},
		{"a Go package that does not build is no test, and its scope is the suite", "curl-junit", func(t *testing.T, _ *testengine.Upload, executions []testengine.Execution) {
			require.True(t, executions[0].SuiteError)
			require.True(t, executions[1].SuiteError)
			require.NotEqual(t, executions[0].TestID, executions[1].TestID)
			require.Equal(t, "example.com/acme/money/broken", executions[1].Scope)
			require.False(t, executions[2].SuiteError)
		}},
		{"parents and subtests are both tests", "curl-junit-rerun", func(t *testing.T, _ *testengine.Upload, executions []testengine.Execution) {
			only(t, executions, "TestTable")
			only(t, executions, "TestTable/b/c")
		}},
		{"refs/heads/ is stripped from the branch", "curl-junit", func(t *testing.T, u *testengine.Upload, _ []testengine.Execution) {
			require.Equal(t, "main", u.Branch)
		}},
		{"the form's tags and run_env arrive, the data part first", "curl-junit", func(t *testing.T, u *testengine.Upload, _ []testengine.Execution) {
			require.Equal(t, []testengine.Tag{{Key: "host.type", Value: "c7g"}}, u.Tags)
			require.Equal(t, "github_actions", u.CI)
			require.Equal(t, "k-1", u.RunKey)
		}},
		{"a pretty-printed body gives raw values without white space", "rust", func(t *testing.T, _ *testengine.Upload, executions []testengine.Execution) {
			require.JSONEq(t, `{"section":"top","start_at":0.0,"end_at":0.0,"duration":0.08808241,"children":[]}`, string(executions[0].History()))
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result, executions := decodeRecorded(t, test.recorded)
			var upload *testengine.Upload
			if len(result.Blocks) > 0 {
				upload = result.Blocks[0].Upload
			}
			test.check(t, upload, executions)
		})
	}
}
