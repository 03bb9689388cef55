// Package clients runs the real collectors, as their users do, against the
// real binary: every execution arrives with its name, result and duration.
package clients

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// row is an execution as the store tells it.
type row struct{ scope, name, result string }

// client is one collector: the command that runs it and what must arrive.
type client struct {
	name    string
	fixture string
	command []string
	env     func(url string) []string
	// exit is the runner's own exit code: the suites hold a failing test.
	exit   int
	expect []row
}

func tools(t *testing.T, path ...string) string {
	t.Helper()
	root := os.Getenv("TESTENGINE_TOOLS")
	if root == "" {
		home, err := os.UserHomeDir()
		require.NoError(t, err)
		root = filepath.Join(home, ".cache", "connect-testengine")
	}
	full := filepath.Join(append([]string{root}, path...)...)
	_, err := os.Stat(full)
	require.NoError(t, err, "make services installs the collectors")
	return full
}

func javascript(url string) []string {
	return []string{"BUILDKITE_ANALYTICS_BASE_URL=" + url + "/v1/uploads"}
}

func python(url string) []string { return []string{"BUILDKITE_ANALYTICS_API_URL=" + url + "/v1"} }

func clients(t *testing.T) []client {
	t.Helper()
	bin := tools(t, "js", "node_modules", ".bin")
	return []client{
		{
			name: "Jest", fixture: "js/jest", command: []string{filepath.Join(bin, "jest")}, env: javascript, exit: 1,
			expect: []row{
				{"Invoice totals", "adds VAT once", "passed"},
				{"Invoice totals", `half even: 2.5 → 2 "quoted" 日本`, "failed"},
				{"Invoice totals", "rounds at the end", "pending"},
				{"Invoice totals", "knows every currency", "skipped"},
			},
		},
		{
			name: "Mocha", fixture: "js/mocha", exit: 1, env: javascript,
			command: []string{
				filepath.Join(bin, "mocha"), "--reporter", "mocha-multi-reporters",
				"--reporter-options", "configFile=reporters.json", "money.spec.js",
			},
			expect: []row{
				{"Invoice totals", "adds VAT once", "passed"},
				{"Invoice totals", "rounds to even", "failed"},
				{"Invoice totals", "rounds at the end", "pending"},
			},
		},
		{
			name: "Vitest", fixture: "js/vitest", command: []string{filepath.Join(bin, "vitest"), "run"}, env: javascript, exit: 1,
			expect: []row{
				{"Invoice totals", "adds VAT once", "passed"},
				{"Invoice totals", "rounds to even", "failed"},
				{"Invoice totals", "rounds at the end", "skipped"},
				{"Invoice totals", "passes when tried again", "passed"},
			},
		},
		{
			name: "pytest", fixture: "python/suite", exit: 1, env: python,
			command: []string{tools(t, "python", "bin", "pytest"), "-p", "no:cacheprovider"},
			expect: []row{
				{"test_money.py", "test_adds_vat_once", "passed"},
				{"test_money.py", "test_rounds_to_even", "failed"},
				{"test_money.py", "test_rounds_at_the_end", "skipped"},
				{"test_money.py", "test_knows_its_team", "passed"},
			},
		},
		{
			name: "pytest with xdist", fixture: "python/suite", exit: 1, env: python,
			command: []string{tools(t, "python", "bin", "pytest"), "-p", "no:cacheprovider", "-n", "2"},
			expect: []row{
				{"test_money.py", "test_adds_vat_once", "passed"},
				{"test_money.py", "test_rounds_to_even", "failed"},
				{"test_money.py", "test_rounds_at_the_end", "skipped"},
				{"test_money.py", "test_knows_its_team", "passed"},
			},
		},
		{
			name: "Playwright", fixture: "js/playwright", env: javascript, exit: 1,
			command: []string{filepath.Join(bin, "playwright"), "test"}, expect: playwrightRows,
		},
		{
			name: "Playwright's file with curl", fixture: "js/playwright", env: func(string) []string { return []string{"PLAYWRIGHT_REPORTER=json"} },
			command: []string{"sh", "-c", filepath.Join(bin, "playwright") + " test; " + curl("playwright-json", "out.json")}, expect: playwrightRows,
		},
		{
			name: "gotestsum's lines with curl", fixture: "go/money", env: func(string) []string { return nil },
			command: []string{"sh", "-c", asModule + tools(t, "gotestsum-1.13.0", "gotestsum") + " --jsonfile out.jsonl ./...; " + curl("go-jsonl", "out.jsonl")}, expect: goRows,
		},
		{
			name: "gotestsum's JUnit with curl", fixture: "go/money", env: func(string) []string { return nil },
			command: []string{"sh", "-c", asModule + tools(t, "gotestsum-1.13.0", "gotestsum") + " --junitfile out.xml ./...; " + curl("junit", "out.xml")}, expect: goRows,
		},
		{
			name: "OpenTelemetry's SDK for JavaScript, protobuf", fixture: "js/otel", env: func(string) []string { return nil },
			command: []string{"node", "send.js", "proto"}, expect: tracedRows,
		},
		{
			name: "OpenTelemetry's SDK for JavaScript, JSON", fixture: "js/otel", env: func(string) []string { return nil },
			command: []string{"node", "send.js", "json"}, expect: tracedRows,
		},
		{
			name: "OpenTelemetry's SDK for Python", fixture: "python/otel", env: func(string) []string { return nil },
			command: []string{tools(t, "python", "bin", "python"), "send.py"}, expect: tracedRows,
		},
		{
			name: "curl with JUnit", fixture: ".", env: func(string) []string { return nil },
			command: []string{
				"sh", "-c", `curl -sS --fail-with-body -X POST -H "Authorization: Token token=\"$BUILDKITE_ANALYTICS_TOKEN\"" ` +
					`-F data=@junit.xml -F format=junit -F 'run_env[CI]=generic' -F "run_env[key]=curl-1" ` +
					`-F 'run_env[branch]=main' -F 'run_env[commit_sha]=5e1f0c' -F 'tags[host.type]=c7g' "$UPLOADS"`,
			},
			expect: []row{
				{"invoice.TotalsTest", "addsVatOnce", "passed"},
				{"invoice.TotalsTest", "roundsToEven", "failed"},
				{"invoice.TotalsTest", "roundsAtTheEnd", "skipped"},
			},
		},
	}
}

var playwrightRows = []row{
	{"  money.spec.js Invoice totals adds VAT once", "adds VAT once", "passed"},
	{"  money.spec.js Invoice totals rounds to even", "rounds to even", "failed"},
	{"  money.spec.js Invoice totals rounds at the end", "rounds at the end", "skipped"},
	{"  money.spec.js Invoice totals passes when tried again", "passes when tried again", "failed"},
	{"  money.spec.js Invoice totals passes when tried again", "passes when tried again", "passed"},
}

var goRows = []row{
	{"example.com/acme/money", "TestAddsVATOnce", "passed"},
	{"example.com/acme/money", "TestRoundsToEven", "failed"},
	{"example.com/acme/money", "TestRoundsAtTheEnd", "skipped"},
	{"example.com/acme/money", "TestEach", "passed"},
	{"example.com/acme/money", "TestEach/a", "passed"},
	{"example.com/acme/money", "TestEach/b", "passed"},
}

var tracedRows = []row{
	{"Invoice totals", "adds VAT once", "passed"},
	{"Invoice totals", "rounds to even", "failed"},
}

// asModule gives the files of the fixture their names: a module inside of this
// one would be in the way of its tools.
const asModule = "mv go.mod.txt go.mod; mv money_test.go.txt money_test.go; "

// curl sends a file as Buildkite's documents say, in the run of the environment.
func curl(format, file string) string {
	return `curl -sS --fail-with-body -X POST -H "Authorization: Token token=\"$BUILDKITE_ANALYTICS_TOKEN\"" ` +
		`-F data=@` + file + ` -F format=` + format + ` -F 'run_env[CI]=generic' -F "run_env[key]=$BUILDKITE_BUILD_ID" ` +
		`-F 'run_env[branch]=main' -F 'run_env[commit_sha]=5e1f0c' "$UPLOADS"`
}

func TestRealCollectorsArriveWhole(t *testing.T) {
	process := harness.Start(t, harness.Options{})
	process.WaitReady(30 * time.Second)
	for _, c := range clients(t) {
		t.Run(c.name, func(t *testing.T) {
			key := "run-" + strings.ReplaceAll(c.name, " ", "-")
			if c.name == "curl with JUnit" {
				key = "curl-1"
			}
			run(t, c, process.URL, key)
			require.ElementsMatch(t, c.expect, arrived(t, process, key, len(c.expect)))
		})
	}
	require.Zero(t, process.Stop(30*time.Second), process.Output())
}

// run copies the fixture beside the installed modules and runs the collector there.
func run(t *testing.T, c client, url, key string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(c.fixture)))
	if strings.HasPrefix(c.fixture, "js/") {
		require.NoError(t, os.Symlink(tools(t, "js", "node_modules"), filepath.Join(dir, "node_modules")))
	}
	command := exec.CommandContext(t.Context(), c.command[0], c.command[1:]...)
	command.Dir = dir
	command.Env = append(os.Environ(), c.env(url)...)
	command.Env = append(command.Env, "BUILDKITE_ANALYTICS_TOKEN="+harness.Token, "UPLOADS="+url+"/v1/uploads", "TRACES="+url+"/v1/traces",
		"BUILDKITE_BUILD_ID="+key, "BUILDKITE_BRANCH=main", "BUILDKITE_COMMIT=5e1f0c", "BUILDKITE_BUILD_NUMBER=812",
		"BUILDKITE_JOB_ID=j-33", "BUILDKITE_MESSAGE=Fix rounding", "BUILDKITE_BUILD_URL=https://ci.example/812",
		"BUILDKITE_AGENT_ID=agent-7")
	out, _ := command.CombinedOutput()
	require.Equal(t, c.exit, command.ProcessState.ExitCode(), "%s", out)
}

// arrived asks the API for the executions of a run until all are there.
func arrived(t *testing.T, process *harness.Process, key string, count int) []row {
	t.Helper()
	path := "/v2/analytics/organizations/local/suites/quickstart/slices?measure=executions&by=test.scope,test.name,result" +
		"&period=1day&filter=run.id:" + testengine.RunID(testengine.SuiteSeed("local", "quickstart"), key)
	var rows []row
	process.Eventually(20*time.Second, fmt.Sprintf("%d executions of %s are in the store", count, key), func() bool {
		status, body := process.Get(path)
		require.Equal(t, 200, status, body)
		var answer struct {
			Rows []map[string]any `json:"rows"`
		}
		require.NoError(t, json.Unmarshal([]byte(body), &answer), body)
		rows = nil
		for _, r := range answer.Rows {
			rows = append(rows, row{fmt.Sprint(r["test.scope"]), fmt.Sprint(r["test.name"]), fmt.Sprint(r["result"])})
		}
		return len(rows) >= count
	})
	return rows
}
