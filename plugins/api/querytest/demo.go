package querytest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// DemoSuite is the suite that Demo fills.
var DemoSuite = query.SuiteKey{Org: "local", Suite: "quickstart"}

type demoTest struct {
	scope, name, file, owner string
	seconds                  float64
	flaky                    float64 // chance to fail
	broken                   bool
	reasons                  []string
}

var demoTests = []demoTest{
	{scope: "Checkout payment", name: "retries a declined card once", file: "spec/checkout/payment_spec.rb", owner: "payments", seconds: 1.4, flaky: 0.11, reasons: []string{
		"Timeout::Error: execution expired after 5.0s waiting for gateway sandbox-3",
		"expected status 200, got 502",
	}},
	{scope: "Search results", name: "orders by relevance, then by date", file: "spec/search/results_spec.rb", owner: "discovery", seconds: 0.6, flaky: 0.06, reasons: []string{
		`expected ["alpha", "beta", "gamma"], got ["alpha", "gamma", "beta"]`,
	}},
	{scope: "Notifications websocket", name: "delivers a message to all open tabs", file: "test/realtime/websocket_test.js", owner: "platform", seconds: 3.1, flaky: 0.08, reasons: []string{
		"Error: socket hang up",
		"AssertionError: expected 2 tabs to receive the message, 1 did",
		"Error: connect ECONNREFUSED 127.0.0.1:41873",
	}},
	{scope: "Invoice totals", name: "adds VAT once", file: "spec/invoice_spec.rb", owner: "payments", seconds: 0.2, broken: true, reasons: []string{"expected 120.0, got 144.0"}},
	{scope: "Session store", name: "expires idle sessions at midnight", file: "spec/session_store_spec.rb", owner: "", seconds: 0.4, flaky: 0.01, reasons: []string{"expected session to be nil, got #<Session id=77>"}},
	{scope: "ImportJob", name: "resumes after a worker restart", file: "tests/jobs/test_import.py", owner: "data", seconds: 5.6, flaky: 0.02, reasons: []string{"sqlite3.OperationalError: database is locked"}},
}

var demoScopes = []string{"Cart", "Catalogue", "Accounts", "Webhooks", "Permissions", "Exports", "Rate limiter", "Audit log"}

var demoNames = []string{"creates one", "refuses a duplicate", "shows an empty state", "paginates", "keeps the order", "undoes a removal", "writes an audit entry"}

// Demo returns a store with two weeks of a small team's CI, the same for the same seed.
func Demo(now time.Time, seed uint64) *Store {
	d := &demo{
		rng: rand.New(rand.NewPCG(seed, 1)),
		now: now.Truncate(time.Second), store: &Store{Branch: "main"},
		seed: testengine.SuiteSeed(DemoSuite.Org, DemoSuite.Suite),
	}
	d.tests = slices.Clone(demoTests)
	for i, scope := range demoScopes {
		for j, name := range demoNames {
			d.tests = append(d.tests, demoTest{
				scope: scope, name: name, file: fmt.Sprintf("spec/%s_spec.rb", []string{"cart", "catalogue", "accounts", "webhooks", "permissions", "exports", "limits", "audit"}[i]),
				owner: []string{"shop", "discovery", "platform", "platform", "identity", "data", "platform", "identity"}[i], seconds: 0.05 + 0.3*float64(j)*float64(i+1)/8,
			})
		}
	}
	for n := 130; n > 0; n-- {
		d.run(n, d.now.Add(-time.Duration(n)*153*time.Minute))
	}
	d.events()
	return d.store
}

type demo struct {
	rng   *rand.Rand
	now   time.Time
	store *Store
	seed  uint64
	tests []demoTest
}

func (d *demo) run(n int, at time.Time) {
	branch := "main"
	if n%3 != 0 {
		branch = []string{"feature/gift-cards", "fix/vat-rounding", "renovate/all"}[n%7%3]
	}
	key := "build-" + strconv.Itoa(5000-n)
	r := query.Run{
		SuiteKey: DemoSuite, ID: testengine.RunID(d.seed, key), Key: key, Branch: branch,
		CommitSHA: fmt.Sprintf("%016x%016x%08x", d.rng.Uint64(), d.rng.Uint64(), d.rng.Uint32()),
		URL:       "https://ci.example/acme/api/builds/" + key, Number: strconv.Itoa(5000 - n),
		Message: demoMessage(branch, n), CI: "buildkite",
		State: query.RunFinished, FirstUploadAt: at.UnixMilli(),
	}
	if n == 1 {
		r.State = query.RunRunning
	}
	for job, host := range []string{"c7g.2xlarge", "m6i.xlarge"} {
		d.upload(&r, n, job, host, at.Add(time.Duration(job)*time.Duration(31+n%40)*time.Second))
	}
	r.Tests = len(d.tests)
	d.store.RunList = append(d.store.RunList, r)
}

func (d *demo) upload(r *query.Run, n, job int, host string, at time.Time) {
	u := query.Upload{UploadReport: testengine.UploadReport{
		Position: testengine.Position{LogID: "log_demo", Offset: int64(2*(200-n) + job)},
		UploadID: fmt.Sprintf("up_%026x", n*2+job), Org: DemoSuite.Org, Suite: DemoSuite.Suite, RunID: r.ID, RunKey: r.Key, Format: "json",
		Collector: []string{"ruby-buildkite-test_collector", "js-buildkite-test-collector"}[job], Branch: r.Branch, CommitSHA: r.CommitSHA,
		ReceivedAt: at.UnixMilli(), Time: at.UnixMilli(), Bytes: 31_400 + d.rng.IntN(9000),
	}, Chunks: 1, CollectorVersion: []string{"2.9.0", "2.0.1"}[job]}
	arch := []string{"arm64", "amd64"}[job]
	for i, t := range d.tests {
		if i%2 != job && i >= len(demoTests) {
			continue
		}
		attempts := d.attempts(&t, n, r.Branch)
		for k, failed := range attempts {
			e := d.execution(&t, r, &u, failed, at.Add(time.Duration(k)*9*time.Second))
			e.AllTags = map[string]string{"host.type": host, "host.arch": arch, "cloud.region": []string{"eu-west-1", "us-east-1"}[n%2], "language.version": "3.4", "collector.name": u.Collector, "build.job_id": "job-" + strconv.Itoa(job)}
			d.store.Executions = append(d.store.Executions, e)
			count(&r.Counts, e.Result)
			u.Accepted++
		}
		if failed := attempts[len(attempts)-1]; failed {
			r.TestsFailed++
		} else if len(attempts) > 1 {
			r.TestsRetried++
		}
	}
	d.problems(&u, n, job)
	r.Uploads++
	r.LastUploadAt = at.UnixMilli()
	d.store.UploadList = append(d.store.UploadList, u)
}

// attempts decides which attempts of a test fail; a failed one is tried once more.
func (d *demo) attempts(t *demoTest, n int, branch string) []bool {
	if t.broken && (n < 9 || branch == "fix/vat-rounding" && n < 40) {
		return []bool{true, true}
	}
	if d.rng.Float64() < t.flaky {
		return []bool{true, d.rng.Float64() < t.flaky}
	}
	return []bool{false}
}

func (d *demo) execution(t *demoTest, r *query.Run, u *query.Upload, failed bool, at time.Time) Execution {
	e := Execution{
		Execution: query.Execution{
			ID: u.String() + "/" + strconv.Itoa(u.Accepted), TestID: testengine.TestID(d.seed, t.scope, t.name), RunID: r.ID, UploadID: u.UploadID,
			Branch: r.Branch, CommitSHA: r.CommitSHA, At: at.UnixMilli(), Result: testengine.ResultPassed, HasDuration: true,
			Duration: t.seconds * (0.8 + 0.5*d.rng.ExpFloat64()), Location: t.file + ":" + strconv.Itoa(20+len(t.name)),
		},
		SuiteKey: DemoSuite, Scope: t.scope, Name: t.name, File: t.file, Owner: t.owner,
	}
	switch {
	case failed:
		i := d.rng.IntN(len(t.reasons))
		e.Result, e.FailureReason, e.Signature = testengine.ResultFailed, t.reasons[i], testengine.Hash(7, t.reasons[i])
		e.FailureExpanded = testengine.RawJSON(fmt.Sprintf(`[{"expanded":["  %s:%d","  in block (2 levels)"],"backtrace":["%s:%d:in 'block (2 levels) in <top (required)>'","lib/support/retry.rb:18:in 'Support.retrying'"]}]`, t.file, 33, t.file, 33))
		e.Duration *= 2.2
	case t.flaky == 0 && !t.broken && d.rng.IntN(90) == 0:
		e.Result = testengine.ResultSkipped
	}
	return e
}

func (*demo) problems(u *query.Upload, n, job int) {
	u.Received = u.Accepted
	if job == 1 && n%17 == 3 {
		u.Received, u.Rejected = u.Received+3, 3
		u.Problems = []testengine.Problem{
			{Index: 14, Field: "name", Reason: "it is missing; an execution without a name belongs to no test", Snippet: `{"scope":"Cart","result":"passed"}`},
			{Index: 15, Field: "name", Reason: "it is missing; an execution without a name belongs to no test"},
			{Index: 31, Field: "history.duration", Reason: "it is no number", Snippet: `"<script>alert(1)</script>"`},
		}
		u.ProblemCounts = map[string]int{"name: it is missing; an execution without a name belongs to no test": 2, "history.duration: it is no number": 1}
	}
	if job == 0 && n%13 == 2 {
		u.Problems = append(u.Problems, testengine.Problem{Index: 7, Field: "tags", Reason: "the value is too long: this tag was dropped", Snippet: "build.changed_files"})
		u.ProblemCounts = map[string]int{"tags: the value is too long: this tag was dropped": 41}
		u.WithoutResult, u.SuiteErrors = 3, 1
	}
	if job == 0 && n%29 == 5 {
		u.Duplicates = 1
	}
}

func demoMessage(branch string, n int) string {
	switch branch {
	case "main":
		return []string{"Merge branch 'feature/gift-cards'", "Merge branch 'fix/vat-rounding'", "Merge branch 'renovate/all'", "Release 4.18"}[n/3%4]
	case "renovate/all":
		return []string{"Bump rack to 3.2", "Bump puma to 7.0", "Bump pg to 1.6"}[n%3]
	case "fix/vat-rounding":
		return []string{"Round VAT once, at the end", "Cover reverse charge", "Use decimals for totals"}[n%3]
	default:
		return []string{"Add gift cards to the cart", "Show the card's balance", "Let cards expire"}[n%3]
	}
}
