package uploads

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
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
	both := 0
	for _, results := range seen {
		if len(results) == 2 {
			both++
		}
	}
	require.Positive(t, both)
	require.Equal(t, both, load.Verdicts(runs))
}
