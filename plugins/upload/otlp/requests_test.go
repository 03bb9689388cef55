package otlp

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

// session are the spans of a run as a BatchSpanProcessor exports them: in the
// order of their ends, so that what a test does comes before the test and the
// session last. Nothing but the session names the run's facts beside the resource.
func session() (spans []string, tests, around int) {
	const run = "c0e09beb5289bd437f3873dadf43b9e5"
	for suite := range 3 {
		suiteID := fmt.Sprintf("5%015x", suite+1)
		for test := range 4 {
			id := fmt.Sprintf("7%07x%08x", suite+1, test+1)
			status, more := "pass", ""
			if test == 3 {
				status, more = "fail", `,"status":{"code":2,"message":"expected 120"}`
			}
			spans = append(spans,
				spanWithID(fmt.Sprintf("d%07x%08x", suite+1, test+1), "SELECT", run, fmt.Sprintf("c%07x%08x", suite+1, test+1), "", "db.query.text", "SELECT 1"),
				spanWithID(fmt.Sprintf("c%07x%08x", suite+1, test+1), "call", run, id, ""),
				spanWithID(id, "test", run, suiteID, more, "test.case.name", fmt.Sprintf("case %d", test), "test.suite.name", fmt.Sprintf("suite %d", suite), "test.case.result.status", status))
			tests, around = tests+1, around+2
		}
		spans = append(spans, spanWithID(suiteID, "suite", run, "0000000000000aaa", "", "test.suite.name", fmt.Sprintf("suite %d", suite), "test.suite.run.status", "failure"))
	}
	return append(spans, spanWithID("0000000000000aaa", "session", run, "", "")), tests, around
}

// A run comes in as many requests as its exporter likes. Each test is accepted by
// itself and the same, and what cannot be put to its test any more is counted.
func TestARunOverManyRequestsIsTheSameRun(t *testing.T) {
	const process = `{"key":"service.instance.id","value":{"stringValue":"ed69aea6-bd28-4bea-810d-ade98af8f4e3"}},
		{"key":"vcs.repository.ref.name","value":{"stringValue":"main"}},{"key":"vcs.repository.ref.revision","value":{"stringValue":"5e1f0c"}},
		{"key":"buildkite.tag.team","value":{"stringValue":"billing"}}`
	spans, tests, around := session()
	whole := arrived(t, process, spans, len(spans))
	require.Len(t, whole.executions, tests)
	require.Zero(t, whole.lone)
	require.Equal(t, around, whole.history)
	random := rand.New(rand.NewPCG(4, 4))
	for range 60 {
		cut := arrived(t, process, spans, 1+random.IntN(len(spans)))
		require.Equal(t, whole.executions, cut.executions)
		require.Equal(t, around, cut.history+cut.lone, "what tests did is kept, or counted as lost")
	}
	require.Equal(t, around, arrived(t, process, spans, 1).lone)
}

type arrival struct {
	executions    []string
	history, lone int
}

// arrived decodes the spans in requests of that many.
func arrived(t *testing.T, process string, spans []string, each int) (a arrival) {
	t.Helper()
	for part := range slices.Chunk(spans, each) {
		body := requests(request1(process, part...))
		for encoding, body := range map[Encoding][]byte{JSON: []byte(body), Protobuf: protobuf(t, body)} {
			result := Decode(testFacts, encoding, body, "", limits(assemble.KeepAll))
			seen, err := Look(encoding, body, "", 128)
			require.NoError(t, err)
			sessionAlone := len(part) == 1 && strings.Contains(part[0], `"session"`)
			require.Equal(t, sessionAlone, result.Report.Rejected == 1, "a root without anything below it is a stranger: %v", result.Report.Problems)
			require.Equal(t, []int{result.Report.Accepted, result.Report.Rejected}, []int{seen.Executions, seen.Rejected})
			if encoding == Protobuf {
				continue
			}
			lone := result.Report.ProblemCounts["history: "+lone.why()]
			require.Equal(t, lone > 0 || sessionAlone, seen.Why != "", "the door says it too")
			a.lone += lone
			for _, block := range result.Blocks {
				u := block.Upload
				require.Equal(t, "ed69aea6-bd28-4bea-810d-ade98af8f4e3", u.RunKey)
				for i := range block.Executions {
					e := &block.Executions[i]
					a.history += strings.Count(string(e.History()), `"section":"s`)
					a.executions = append(a.executions, fmt.Sprintf("%s %s %s %d %s > %s %s %s %d %v", u.RunID, u.Branch, u.CommitSHA, e.TestID, e.Scope, e.Name, e.Result, e.FailureReason, e.StartedAt, u.Tags))
				}
			}
		}
	}
	return a
}

func TestSpansFindTheTestTheyBelongTo(t *testing.T) {
	body := requests(request1(resourceMain,
		spanWithID("000000000000000b", "SELECT", trace1, "000000000000000c", "", "db.query.text", "first"),
		spanWithID("000000000000000c", "call", trace1, "000000000000000d", ""),
		spanWithID("000000000000000d", "test.execution", trace1, "", "", "test.case.name", "first"),
		spanWithID("000000000000001b", "SELECT", trace1, "000000000000001d", "", "db.query.text", "second"),
		spanWithID("000000000000001d", "test.execution", trace1, "", "", "test.case.name", "second"),
		spanWithID("000000000000002b", "GET", trace2, "00000000000000ff", "", "url.full", "a server's span, whose caller is elsewhere"),
		spanWithID("000000000000002d", "test.execution", trace2, "", "", "test.case.name", "third"),
		spanWithID("000000000000003b", "round", trace3, "000000000000003c", ""),
		spanWithID("000000000000003c", "and round", trace3, "000000000000003b", "")))
	result := Decode(testFacts, JSON, []byte(body), "", limits(assemble.KeepAll))
	require.Equal(t, []int{3, 2}, []int{result.Report.Accepted, result.Report.Rejected}, "spans that go round in a circle are nobody's")
	history := func(i int) string { return string(result.Blocks[0].Executions[i].History()) }
	require.Contains(t, history(0), `"query":"first"`)
	require.Contains(t, history(0), `"name":"call"`)
	require.NotContains(t, history(0), "second")
	require.Contains(t, history(1), `"query":"second"`)
	require.Contains(t, history(2), "whose caller is elsewhere", "the only test of a trace has what the trace did")
}

func TestTheScopeIsTheSpansOrItsResources(t *testing.T) {
	suite := `{"key":"test.suite.name","value":{"stringValue":"of the process"}}`
	body := requests(request1(suite,
		jsonSpan("any", trace1, "", "", "test.case.name", "a", "test.case.result.status", "pass"),
		jsonSpan("any", trace2, "", "", "test.case.name", "b", "test.case.result.status", "pass", "test.suite.name", "own")))
	result := Decode(testFacts, JSON, []byte(body), "k", limits(assemble.KeepFailed))
	require.Equal(t, []string{"k: passed of the process > a 0.25s at ", "k: passed own > b 0.25s at "}, told(result))
}
