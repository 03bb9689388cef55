// Package uploads makes the input of the comparison with Flink: the same uploads
// for the same numbers, as Buildkite's Ruby collector writes them, and the
// verdicts that a correct job gives on them.
package uploads

import (
	"fmt"
	"strconv"
	"strings"
)

// Load says how much there is of what. One test in a hundred is flaky and fails
// one run in ten; one in a thousand is broken in 20 runs of 60; a failure is
// tried once more in the same run; two runs share a commit.
type Load struct {
	Suites, Tests int
	// PerUpload is how many tests an upload holds, before retries.
	PerUpload int
}

// Uploads is how many uploads a run of one suite has.
func (l Load) Uploads() int { return (l.Tests + l.PerUpload - 1) / l.PerUpload }

// dice is a number that depends on nothing but its arguments (splitmix64).
func dice(numbers ...int) uint64 {
	h := uint64(42)
	for _, n := range numbers {
		h = mix(h ^ uint64(n))
	}
	return h
}

func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func flaky(suite, test int) bool { return dice(suite, test, 3)%100 == 0 }

func broken(suite, test, run int) bool { return dice(suite, test, 4)%1000 == 0 && run/20%3 == 1 }

// fails says whether the test's first try in the run fails.
func fails(suite, test, run int) bool {
	return broken(suite, test, run) || flaky(suite, test) && dice(suite, test, run, 5)%100 < 10
}

// Verdicts is how many pairs of test and commit have a pass and a failure in the
// first runs of every suite, and of how many tests these are.
func (l Load) Verdicts(runs int) (pairs, tests int) {
	for suite := range l.Suites {
		for test := range l.Tests {
			if !flaky(suite, test) {
				continue
			}
			before := pairs
			for commit := range (runs + 1) / 2 {
				for run := 2 * commit; run < min(2*commit+2, runs); run++ {
					if fails(suite, test, run) && !broken(suite, test, run) {
						pairs++
						break
					}
				}
			}
			if pairs > before {
				tests++
			}
		}
	}
	return pairs, tests
}

var (
	verbs = []string{"creates", "rejects", "updates", "renders", "returns", "queues", "expires", "merges"}
	nouns = []string{"an invoice", "the refund", "a build step", "two annotations", "the audit log", "a webhook", "the rate table", "an agent token"}
	areas = []string{"Billing", "Pipelines", "Agents", "Accounts", "Webhooks", "Analytics", "Uploads", "Search"}
)

// Append appends the body of one upload of a run and returns it with the number of executions in it.
func (l Load) Append(b []byte, suite, run, upload int) (body []byte, executions int) {
	commit := dice(suite, run/2, 7)
	b = append(b, `{"format":"json","run_env":{"CI":"buildkite","key":"`...)
	b = appendUUID(b, dice(suite, run, 9), dice(suite, run, 10))
	b = fmt.Appendf(b, `","number":"%d","branch":"main","commit_sha":"%016x%016x%08x","message":"Change %d","collector":"ruby-buildkite-test_collector","version":"2.15.0"},"data":[`,
		run, commit, mix(commit), uint32(mix(mix(commit))), run/2)
	for test := upload * l.PerUpload; test < min((upload+1)*l.PerUpload, l.Tests); test++ {
		failed := fails(suite, test, run)
		if executions > 0 {
			b = append(b, ',')
		}
		b = appendExecution(b, suite, test, run, 0, failed)
		executions++
		if failed {
			b = append(b, ',')
			b = appendExecution(b, suite, test, run, 1, broken(suite, test, run))
			executions++
		}
	}
	return append(b, `]}`...), executions
}

// AppendLast appends an upload of a run of its own that holds one test, which
// passes. Written a while after all others it moves the log's time on, so that
// their runs close. It changes no verdict.
func (l Load) AppendLast(b []byte, suite int) []byte {
	b = append(b, `{"format":"json","run_env":{"CI":"buildkite","key":"last","branch":"main","commit_sha":"last"},"data":[`...)
	b = appendExecution(b, suite, 0, 1<<20, 0, false)
	return append(b, `]}`...)
}

func appendExecution(b []byte, suite, test, run, attempt int, failed bool) []byte {
	h, identity := dice(suite, test, run, attempt), dice(suite, test)
	area := areas[identity%8]
	file := func(b []byte) []byte {
		b = append(b, "./spec/models/"...)
		b = append(b, strings.ToLower(area)...)
		b = append(b, "/case_"...)
		b = strconv.AppendInt(b, int64(test/25), 10)
		return append(b, "_spec.rb"...)
	}
	b = append(b, `{"id":"`...)
	b = appendUUID(b, h, mix(h))
	b = append(b, `","scope":"`...)
	b = append(b, area...)
	b = append(b, "::Suite"...)
	b = strconv.AppendInt(b, int64(suite), 10)
	b = append(b, "::Case"...)
	b = strconv.AppendInt(b, int64(test/25), 10)
	b = append(b, `","name":"`...)
	b = append(b, verbs[identity>>8%8]...)
	b = append(b, ' ')
	b = append(b, nouns[identity>>16%8]...)
	b = append(b, " when case "...)
	b = strconv.AppendInt(b, int64(test), 10)
	b = append(b, ` applies","location":"`...)
	b = file(b)
	b = append(b, ':')
	b = strconv.AppendInt(b, int64(test%25*12+4), 10)
	b = append(b, `","file_name":"`...)
	b = file(b)
	b = append(b, `","result":"`...)
	if failed {
		b = append(b, `failed","failure_reason":"Failure/Error: expected `...)
		b = strconv.AppendInt(b, int64(identity%500), 10)
		b = append(b, ` got nil"`...)
	} else {
		b = append(b, `passed","failure_reason":null`...)
	}
	start := float64(run%1000)*60 + float64(test)*0.011
	seconds := float64(h%2_000_000) / 1e6 * float64(h>>32%100) / 50
	b = append(b, `,"history":{"section":"top","start_at":`...)
	b = strconv.AppendFloat(b, start, 'f', 6, 64)
	b = append(b, `,"end_at":`...)
	b = strconv.AppendFloat(b, start+seconds, 'f', 6, 64)
	b = append(b, `,"duration":`...)
	b = strconv.AppendFloat(b, seconds, 'f', 6, 64)
	return append(b, `,"children":[]}}`...)
}

func appendUUID(b []byte, high, low uint64) []byte {
	text := fmt.Sprintf("%016x%016x", high, low)
	for i, from := range []int{0, 8, 12, 16, 20} {
		if i > 0 {
			b = append(b, '-')
		}
		b = append(b, text[from:[]int{8, 12, 16, 20, 32}[i]]...)
	}
	return b
}
