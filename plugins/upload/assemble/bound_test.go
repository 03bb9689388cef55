package assemble

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// State takes values of 64 KiB, topics records of a megabyte: what is longer would
// hold up its lane for ever.
func TestTextsThatNobodyCanStoreAreCutAndReported(t *testing.T) {
	long := strings.Repeat("é", 50_000)
	for _, early := range []bool{true, false} {
		b := newBuilder(func(l *Limits) { l.KeepDetails = KeepAll })
		for _, key := range []string{"key", "branch", "commit_sha", "url", "number", "job_id", "message", "collector", "mine"} {
			b.Env(key, long)
		}
		b.Env(long, "x")
		if early {
			b.EnvKnown()
		}
		for _, end := range []string{"1", "2"} {
			e := b.Begin(1000)
			e.Scope, e.Name, e.Location, e.File, e.FailureReason, e.Detail().ExternalID = long, long+end, long, long, long, long
			e.Detail().FailureExpanded, e.Detail().History, e.Detail().Extra = testengine.RawJSON(long+long), testengine.RawJSON(long+long), testengine.RawJSON(long+long)
			b.Accept()
		}
		b.SetExtra(long + long)
		result := b.Finish()
		var executions []testengine.Execution
		for _, block := range result.Blocks {
			executions = append(executions, block.Executions...)
		}
		u, first, second := result.Blocks[0].Upload, executions[0], executions[1]
		require.LessOrEqual(t, len(u.RunKey), 255)
		require.Equal(t, testengine.RunID(testengine.SuiteSeed("o", "s"), long), u.RunID, "the door names the run by the whole key")
		for _, text := range []string{u.Branch, u.CommitSHA, u.URL, u.Number, u.JobID, u.Message, u.Collector, u.Env[0].Value} {
			require.Equal(t, strings.Repeat("é", 2048), text)
		}
		require.Empty(t, u.Extra)
		for _, text := range []string{first.Scope, first.Name, first.Location, first.File, first.FailureReason, first.ExternalID()} {
			require.Equal(t, strings.Repeat("é", 4096), text)
		}
		require.Empty(t, string(first.FailureExpanded()+first.History()+first.Extra()))
		require.NotEqual(t, first.TestID, second.TestID, "the whole name tells tests apart")
		require.Equal(t, testengine.TestID(testengine.SuiteSeed("o", "s"), long, long+"1"), first.TestID)
		counts := result.Report.ProblemCounts
		require.Equal(t, map[string]int{
			"run_env: the value is too long: it was cut": 8, "run_env: the key is too long: this one was dropped": 1,
			"run_env.key: too long: a hash stands for its end": 1, "upload: " + tooLarge: 1,
			"scope: " + tooLong: 2, "name: " + tooLong: 2, "location: " + tooLong: 2, "file_name: " + tooLong: 2, "failure_reason: " + tooLong: 2, "external_id: " + tooLong: 2,
			"failure_expanded: " + tooLarge: 2, "history: " + tooLarge: 2, "record: " + tooLarge: 2,
		}, counts)
	}
}

func TestEachFieldIsBoundedByItself(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	for field, fill := range map[string]func(e *testengine.Execution){
		"scope":            func(e *testengine.Execution) { e.Scope = long },
		"name":             func(e *testengine.Execution) { e.Name = long },
		"location":         func(e *testengine.Execution) { e.Location = long },
		"file_name":        func(e *testengine.Execution) { e.File = long },
		"failure_reason":   func(e *testengine.Execution) { e.FailureReason = long },
		"external_id":      func(e *testengine.Execution) { e.Detail().ExternalID = long },
		"failure_expanded": func(e *testengine.Execution) { e.Detail().FailureExpanded = testengine.RawJSON(long) },
		"history":          func(e *testengine.Execution) { e.Detail().History = testengine.RawJSON(long) },
		"record":           func(e *testengine.Execution) { e.Detail().Extra = testengine.RawJSON(long) },
	} {
		b := newBuilder(func(l *Limits) { l.KeepDetails = KeepAll })
		b.EnvKnown()
		fill(add(b, "n"))
		b.Accept()
		require.Equal(t, field, b.Finish().Report.Problems[0].Field)
	}
}

func TestNoBlockIsLargerThanARecordOfATopic(t *testing.T) {
	b := newBuilder(func(l *Limits) { l.KeepDetails = KeepAll })
	b.EnvKnown()
	for i := range 40 {
		e := add(b, strings.Repeat("n", i+1))
		e.Detail().History = testengine.RawJSON(strings.Repeat("h", 100_000+i))
		b.Accept()
	}
	place := 0
	for _, block := range b.Finish().Blocks {
		kept := 0
		require.Equal(t, place, block.First)
		for i := range block.Executions {
			kept += size(&block.Executions[i])
			require.Equal(t, place, block.Executions[i].Index)
			require.Len(t, block.Executions[i].Name, place+1)
			place++
		}
		require.LessOrEqual(t, kept, blockBytes)
	}
	require.Equal(t, 40, place)
}

func TestDetailsHaveALimitOfTheirOwnHoweverSmall(t *testing.T) {
	for _, most := range []int{100, 300} {
		b := newBuilder(func(l *Limits) { l.KeepDetails, l.DetailBytes = KeepAll, most })
		e := b.Begin(1000)
		e.Name, e.Detail().History = "pays", testengine.RawJSON(`"`+strings.Repeat("x", most)+`"`)
		b.Accept()
		result := b.Finish()
		require.Empty(t, result.Blocks[0].Executions[0].History())
		require.Equal(t, 1, result.Report.ProblemCounts["history: "+tooLarge])
	}
}
