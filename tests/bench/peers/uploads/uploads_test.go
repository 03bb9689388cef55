package uploads

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestVerdictsAreThePairsOfTestAndCommitWithAPassAndAFailure(t *testing.T) {
	load := Load{Suites: 2, Tests: 3000, PerUpload: 1000}
	const runs = 6
	type pair struct{ suite, test, commit string }
	seen := map[pair]map[string]bool{}
	for suite := range load.Suites {
		for run := range runs {
			for upload := range load.Uploads() {
				body, executions := load.Append(nil, suite, run, upload)
				var read struct {
					RunEnv struct {
						Commit string `json:"commit_sha"`
					} `json:"run_env"`
					Data []struct{ Scope, Name, Result string }
				}
				require.NoError(t, json.Unmarshal(body, &read))
				require.Len(t, read.Data, executions)
				for _, one := range read.Data {
					p := pair{one.Scope, one.Name, read.RunEnv.Commit}
					if seen[p] == nil {
						seen[p] = map[string]bool{}
					}
					seen[p][one.Result] = true
				}
			}
		}
	}
	both, flaky := 0, map[pair]bool{}
	for p, results := range seen {
		if len(results) == 2 {
			both++
			flaky[pair{suite: p.suite, test: p.test}] = true
		}
	}
	require.Positive(t, both)
	pairs, tests := load.Verdicts(runs)
	require.Equal(t, both, pairs)
	require.Len(t, flaky, tests)
}

func TestSuitesAreSpreadEvenlyOverPartitions(t *testing.T) {
	numbers := Spread(20, 4)
	require.Len(t, numbers, 20)
	partitioner := kgo.StickyKeyPartitioner(nil).ForTopic("")
	count := map[int]int{}
	for _, n := range numbers {
		count[partitioner.Partition(&kgo.Record{Key: Key(n)}, 4)]++
	}
	require.Equal(t, map[int]int{0: 5, 1: 5, 2: 5, 3: 5}, count)
}
