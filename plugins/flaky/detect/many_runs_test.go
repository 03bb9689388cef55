package detect

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// A CI that names its runs at random opens one with each upload. What a suite
// keeps of those that are open is one value of the state, which has a bound:
// beyond it the lane would be held, and all suites in it.
func TestThousandsOfRunsMayBeOpenAtOnce(t *testing.T) {
	const runs = 6000
	type arrivals struct { // of runs, a millisecond apart
		from, to, step int
		at             int64
	}
	for _, test := range []struct {
		name    string
		uploads []arrivals
	}{
		{"and close in their order", []arrivals{{0, runs, 1, 0}}},
		{"and the oldest close last", []arrivals{{0, runs, 1, 0}, {0, 10, 1, minute}}},
		{"and every other one closes last", []arrivals{{0, runs, 1, 0}, {0, runs, 2, minute}}},
		{"and one that stays open is older than many that closed", []arrivals{
			{0, 2000, 1, 0}, {0, 1, 1, minute}, {0, 1, 1, 2 * minute}, {0, 1, 1, 3 * minute}, {2000, runs, 1, 4 * minute},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			table, err := state.NewMemory().Table(t.Context(), "flaky_detect", 0, "")
			require.NoError(t, err)
			e := New(table, DefaultSettings(), func(*testengine.Execution) testengine.Signature { return testengine.Signature{} })
			offset := int64(0)
			record := func(now int64, what func()) {
				require.NoError(t, table.Begin(offset, now))
				e.Advance(now)
				what()
				e.Flush()
				require.NoError(t, table.End())
				offset++
			}
			upload := func(n int) func() {
				return func() {
					e.Block(&testengine.Block{
						Upload: &testengine.Upload{
							ID: strconv.FormatInt(offset, 10), Org: "acme", Suite: "api", DefaultBranch: "main", Branch: "main",
							RunKey: "run " + strconv.Itoa(n), CommitSHA: fmt.Sprintf("%040x", n),
						},
						Executions: []testengine.Execution{{TestID: uint64(n), Name: "b", Result: testengine.ResultFailed}},
					})
				}
			}
			for _, u := range test.uploads {
				for n := u.from; n < u.to; n += u.step {
					record(u.at+int64(n), upload(n))
				}
			}
			record(60*minute, func() {
				seed := testengine.SuiteSeed("acme", "api")
				for n := range runs {
					r := e.runByKey(runStateKey(seed, "run "+strconv.Itoa(n)))
					require.True(t, r.closed, n)
					require.True(t, r.observed, "run %d has come to the filter", n)
				}
			})
		})
	}
}
