package detect_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/detect"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// BenchmarkUploads measures uploads of 5,000 tests in 64 suites, of which the
// given number fails in each: the whole of detection with its state.
func BenchmarkUploads(b *testing.B) {
	for _, failing := range []int{0, 5, 100} {
		b.Run(fmt.Sprintf("%d of 5000 fail", failing), func(b *testing.B) {
			settings := detect.DefaultSettings()
			table, err := state.NewMemory().Table(b.Context(), "flaky_detect", 0, settings.Logic())
			require.NoError(b, err)
			engine := detect.New(table, settings, plainSignature)
			suites := make([][]testengine.Execution, 64)
			for s := range suites {
				suites[s] = executionsOf(s, 5000)
			}
			at, n := worldStart, 0
			play := func() {
				suite := n % len(suites)
				at += 5000
				_ = table.Begin(int64(n), at)
				engine.Advance(at)
				list := suites[suite]
				for i := range failing {
					x := &list[(n/len(suites)*7+i*49)%len(list)]
					x.Result, x.FailureReason = testengine.ResultFailed, "expected 1 to be 2"
					defer func() { x.Result, x.FailureReason = testengine.ResultPassed, "" }()
				}
				u := &testengine.Upload{
					ID: strconv.Itoa(n), Org: "local", Suite: fmt.Sprint("suite-", suite), RunKey: strconv.Itoa(n),
					Branch: "main", CommitSHA: fmt.Sprint("c", n),
					Tags: []testengine.Tag{{Key: "ci.worker.id", Value: "w1"}, {Key: "language.version", Value: "3.3"}},
				}
				for first := 0; first < len(list); first += 2000 {
					engine.Block(&testengine.Block{First: first, Upload: u, Executions: list[first:min(first+2000, len(list))]})
				}
				engine.Events()
				engine.Flush()
				_ = table.End()
				n++
			}
			for range 128 {
				play()
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				play()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/5000, "ns/execution")
			b.ReportMetric(float64(table.Bytes())/float64(64*5000), "bytes/test")
		})
	}
}

func executionsOf(suite, n int) []testengine.Execution {
	seed := testengine.SuiteSeed("local", fmt.Sprint("suite-", suite))
	list := make([]testengine.Execution, n)
	for i := range list {
		scope, name := fmt.Sprintf("Pipeline::Controller%d #creates", i/40), fmt.Sprintf("rejects the account (case %d)", i)
		list[i] = testengine.Execution{
			Index: i, TestID: testengine.TestID(seed, scope, name), Scope: scope, Name: name,
			File: fmt.Sprintf("spec/controllers/controller_%d_spec.rb", i/40), Result: testengine.ResultPassed,
		}
	}
	return list
}
