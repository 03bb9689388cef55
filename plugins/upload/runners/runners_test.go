package runners

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

// runner is a format as the table of formats knows it.
type runner struct {
	name string
	feed func(*assemble.Builder, []byte) error
	look func([]byte, int) (int, error)
}

var (
	rspec      = runner{RSpec, FeedRSpec, LookRSpec}
	jest       = runner{Jest, FeedJest, LookJest}
	pw         = runner{Playwright, FeedPlaywright, LookPlaywright}
	cucumber   = runner{Cucumber, FeedCucumber, LookCucumber}
	gotest     = runner{GoTest, FeedGoTest, LookGoTest}
	allRunners = []runner{rspec, jest, pw, cucumber, gotest}
)

func (f runner) decode(t testing.TB, body []byte, env ...string) assemble.Result {
	t.Helper()
	b := assemble.New(assemble.Facts{UploadID: "up_1", Org: "o", Suite: "s"}, f.name, assemble.DefaultLimits())
	for i := 0; i < len(env); i += 2 {
		b.Env(env[i], env[i+1])
	}
	if err := f.feed(b, body); err != nil {
		return b.Refuse(err, "")
	}
	return b.Finish()
}

// told writes an execution as a line: result, scope > name, location, reason.
func told(e *testengine.Execution) string {
	line := fmt.Sprintf("%s %s > %s", e.Result, e.Scope, e.Name)
	if e.HasDuration {
		line += fmt.Sprintf(" %gs", e.Duration)
	}
	if e.Location != "" {
		line += " at " + e.Location
	}
	if e.FailureReason != "" {
		line += ": " + e.FailureReason
	}
	parts := []string{line}
	for _, tag := range e.Tags {
		parts = append(parts, "#"+tag.Key+"="+tag.Value)
	}
	if e.SuiteError {
		parts = append(parts, "(suite error)")
	}
	return strings.Join(parts, " ")
}

func lines(result assemble.Result) (all []string) {
	for _, block := range result.Blocks {
		for i := range block.Executions {
			all = append(all, told(&block.Executions[i]))
		}
	}
	return all
}

// shuffled is the same JSON with the keys of each object in another order, as
// no runner promises one, and now and then with white space.
func shuffled(t *testing.T, random *rand.Rand, raw []byte) []byte {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	require.NoError(t, decoder.Decode(&value))
	var out bytes.Buffer
	write(t, random, &out, value)
	if random.IntN(2) == 0 {
		var pretty bytes.Buffer
		require.NoError(t, json.Indent(&pretty, out.Bytes(), "", "  "))
		return pretty.Bytes()
	}
	return out.Bytes()
}

func write(t *testing.T, random *rand.Rand, out *bytes.Buffer, value any) {
	t.Helper()
	switch v := value.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		out.WriteByte('{')
		for i, key := range keys {
			if i > 0 {
				out.WriteByte(',')
			}
			fmt.Fprintf(out, "%q:", key)
			write(t, random, out, v[key])
		}
		out.WriteByte('}')
	case []any:
		out.WriteByte('[')
		for i := range v {
			if i > 0 {
				out.WriteByte(',')
			}
			write(t, random, out, v[i])
		}
		out.WriteByte(']')
	default:
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		out.Write(raw)
	}
}

type fileTest struct {
	name   string
	format runner
	body   string
	env    []string
	want   []string
}

func TestFilesOfRunnersAreRead(t *testing.T) {
	for _, test := range slices.Concat(rspecTests, jestTests, playwrightTests, cucumberTests, gotestTests) {
		t.Run(test.format.name+": "+test.name, func(t *testing.T) {
			result := test.format.decode(t, []byte(test.body), test.env...)
			require.False(t, result.Refused, "%v", result.Report.Problems)
			require.Equal(t, test.want, lines(result))
			_, err := test.format.look([]byte(test.body), 128)
			require.NoError(t, err)
			if test.format.name == GoTest {
				return
			}
			random := rand.New(rand.NewPCG(1, 2))
			for range 50 {
				body := shuffled(t, random, []byte(test.body))
				result := test.format.decode(t, body, test.env...)
				require.False(t, result.Refused, "%s", body)
				require.ElementsMatch(t, test.want, lines(result), "%s", body)
			}
		})
	}
}

func TestTheDoorCountsWhatDecodingFinds(t *testing.T) {
	for _, test := range slices.Concat(rspecTests, jestTests, playwrightTests, cucumberTests, gotestTests) {
		count, err := test.format.look([]byte(test.body), 128)
		require.NoError(t, err)
		tests := 0
		for _, line := range test.want {
			if !strings.Contains(line, "(suite error)") && !strings.HasPrefix(line, "unknown p > Hangs") {
				tests++
			}
		}
		require.Equal(t, tests, count, test.name)
	}
}

func TestFilesOfAnotherKindAreRefused(t *testing.T) {
	tests := []struct {
		name   string
		format runner
		body   string
		want   string
	}{
		{"no RSpec", rspec, `{"testResults":[]}`, "the JSON is broken at byte 0: there are no examples: rspec --format json writes them"},
		{"no Jest", jest, `[]`, "the JSON is broken at byte 0: there are no testResults: jest --json and vitest --reporter json write them"},
		{"no Playwright", pw, ` {"config":{}}`, "the JSON is broken at byte 1: there are no suites: playwright test --reporter json writes them"},
		{"no Cucumber", cucumber, `{"examples":[]}`, "the JSON is broken at byte 0: this is no array of features: cucumber --format json writes one"},
		{"no Go", gotest, "ok  \texample.com/acme\t0.1s\n", "the JSON is broken at byte 0: no line is an event of go test -json"},
		{"JSON that is no event", gotest, "{\"name\":\"a\"}\n", "the JSON is broken at byte 0: no line is an event of go test -json"},
		{"cut off", rspec, `{"examples":[{"description":"a"`, "the JSON is broken at byte 31: it ends too early"},
		{"something behind", jest, `{"testResults":[]} {}`, "the JSON is broken at byte 19: nothing may follow here"},
		{"too deep", pw, `{"suites":` + strings.Repeat(`[{"suites":`, 100), "the JSON is broken at byte 704: it nests too deep"},
		{"too deep where nobody looks", cucumber, `[{"x":` + strings.Repeat(`[`, 200), "the JSON is broken at byte 132: it nests too deep"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := test.format.look([]byte(test.body), 128)
			require.EqualError(t, err, test.want)
			result := test.format.decode(t, []byte(test.body))
			require.True(t, result.Refused)
			require.Equal(t, test.want, result.Report.Problems[0].Reason)
		})
	}
}

func TestRecordsThatAreNoneAreRejectedAlone(t *testing.T) {
	tests := []struct {
		format  runner
		body    string
		problem testengine.Problem
	}{
		{rspec, `{"examples":[{"description":"a"},{"status":"passed"},{"description":"c"}]}`, testengine.Problem{Index: 1, Field: "name", Reason: "missing", Snippet: `{"status":"passed"}`}},
		{rspec, `{"examples":[{"description":"a"},7,{"description":"c"}]}`, testengine.Problem{Index: 1, Field: "record", Reason: "not an object", Snippet: `7`}},
		{jest, `{"testResults":[{"name":"f","assertionResults":[{"title":"a"},{"title":null},{"title":"c"}]}]}`, testengine.Problem{Index: 1, Field: "name", Reason: "missing", Snippet: `{"title":null}`}},
		{pw, `{"suites":[{"specs":[{"title":"a","tests":[{"results":[{},"x",{}]}]}]}]}`, testengine.Problem{Index: 1, Field: "record", Reason: "not an object", Snippet: `"x"`}},
		{cucumber, `[{"elements":[{"name":"a"},{"line":3},{"name":"c"}]}]`, testengine.Problem{Index: 1, Field: "name", Reason: "missing", Snippet: `{"line":3}`}},
	}
	for _, test := range tests {
		t.Run(test.format.name, func(t *testing.T) {
			report := test.format.decode(t, []byte(test.body)).Report
			require.Equal(t, []int{3, 2, 1}, []int{report.Received, report.Accepted, report.Rejected})
			require.Equal(t, test.problem, report.Problems[0])
		})
	}
}

func TestStreamsOfGoThatPanicOrFlake(t *testing.T) {
	tests := []struct {
		file string
		want map[testengine.Result]int
	}{
		{"flakeguard-example_panic.log.json", map[testengine.Result]int{testengine.ResultPassed: 4, testengine.ResultFailed: 6, testengine.ResultUnknown: 4}},
		{"flakeguard-example_flaky.log.json", map[testengine.Result]int{testengine.ResultPassed: 13, testengine.ResultFailed: 1}},
	}
	for _, test := range tests {
		body, err := os.ReadFile("../../../tests/testdata/gotest-streams/" + test.file)
		require.NoError(t, err)
		result := gotest.decode(t, body)
		got := map[testengine.Result]int{}
		for i := range result.Blocks[0].Executions {
			e := &result.Blocks[0].Executions[i]
			got[e.Result]++
			if e.Result == testengine.ResultFailed {
				require.NotEmpty(t, e.FailureExpanded(), e.Name)
			}
		}
		require.Equal(t, test.want, got)
		require.Empty(t, result.Report.Problems[1:], "the run key alone is missing")
	}
}

// What must hold for every format: nothing panics, what the door lets pass can
// be decoded, and the account adds up.
func FuzzRunners(f *testing.F) {
	for i, format := range allRunners {
		for _, test := range slices.Concat(rspecTests, jestTests, playwrightTests, cucumberTests, gotestTests) {
			if test.format.name == format.name {
				f.Add(byte(i), []byte(test.body))
			}
		}
	}
	f.Fuzz(func(t *testing.T, which byte, body []byte) {
		format := allRunners[int(which)%len(allRunners)]
		_, err := format.look(body, 128)
		result := format.decode(t, body)
		require.Equal(t, err != nil, result.Refused, "%v", err)
		r := result.Report
		require.Equal(t, r.Received, r.Accepted+r.Rejected)
		for _, block := range result.Blocks {
			raw, err := json.Marshal(block)
			require.NoError(t, err)
			require.True(t, json.Valid(raw))
		}
	})
}
