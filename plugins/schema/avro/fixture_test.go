package avro

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// random makes values with every field set now and then.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 1))} }

func (r random) text() string {
	switch r.IntN(4) {
	case 0:
		return ""
	case 1:
		return strings.Repeat("long ", r.IntN(60))
	case 2:
		return "ünï \x00 " + strconv.FormatUint(r.Uint64(), 10)
	}
	return strconv.Itoa(r.IntN(10))
}

func (r random) json() testengine.RawJSON {
	if r.IntN(2) == 0 {
		return ""
	}
	return testengine.RawJSON(fmt.Sprintf(`{"k":%d}`, r.IntN(1000)))
}

func (r random) number() int     { return int(r.long()) }
func (r random) long() int64     { return int64(r.Uint64()) >> r.IntN(64) }
func (r random) truth() bool     { return r.IntN(2) == 0 }
func (r random) double() float64 { return float64(r.long()) / 7 }

func (r random) texts() (texts []string) {
	for range r.IntN(4) {
		texts = append(texts, r.text())
	}
	return texts
}

func (r random) tags() (tags []testengine.Tag) {
	for range r.IntN(3) {
		tags = append(tags, testengine.Tag{Key: r.text(), Value: r.text()})
	}
	return tags
}

func (r random) position() testengine.Position {
	return testengine.Position{LogID: r.text(), Partition: r.number(), Offset: r.long()}
}

func (r random) upload() *testengine.Record {
	kinds := []testengine.Kind{testengine.KindUpload, testengine.KindDuplicate, testengine.KindChange, testengine.KindTick}
	u := &testengine.Record{
		Kind: kinds[r.IntN(len(kinds))], Org: r.text(), Suite: r.text(), DefaultBranch: r.text(), UploadID: r.text(),
		ContentType: r.text(), ContentEncoding: r.text(), ReceivedAt: r.long(), Meta: r.tags(), Body: []byte(r.text()),
	}
	if r.truth() {
		p := r.position()
		u.Origin = &p
	}
	if r.truth() {
		u.Chunk = &testengine.Chunk{Index: r.number(), Count: r.number(), FirstIndex: r.number()}
	}
	return u
}

func (r random) facts() *testengine.Upload {
	return &testengine.Upload{
		ID: r.text(), Org: r.text(), Suite: r.text(), DefaultBranch: r.text(), Format: r.text(), ReceivedAt: r.long(), Time: r.long(),
		RunKey: r.text(), RunKeyMissing: r.truth(), RunID: r.text(), Branch: r.text(), CommitSHA: r.text(), CI: r.text(), URL: r.text(),
		Number: r.text(), JobID: r.text(), Message: r.text(), Collector: r.text(), CollectorVersion: r.text(), TestRunner: r.text(),
		LanguageVersion: r.text(), LocationPrefix: r.text(), NamePrefix: r.text(), NameSuffix: r.text(),
		Env: r.tags(), Tags: r.tags(), Extra: r.json(), Part: r.number(),
	}
}

func (r random) block() *testengine.Block {
	b := &testengine.Block{Position: r.position(), First: r.number(), Upload: r.facts()}
	for i := range r.IntN(40) {
		e := testengine.Execution{
			Index: i + r.IntN(2), TestID: r.Uint64(), Scope: r.text(), Name: r.text(), Location: r.text(), File: r.text(),
			Result: testengine.Result(r.IntN(5)), Duration: r.double(), HasDuration: r.truth(),
		}
		if r.IntN(3) == 0 {
			var details testengine.Details
			e.StartedAt, e.FailureReason, details.FailureExpanded, details.History = r.long(), r.text(), r.json(), r.json()
			details.ExternalID, e.Tags, e.SuiteError, details.Extra = r.text(), r.tags(), r.truth(), r.json()
			if details != (testengine.Details{}) {
				e.Details = &details
			}
		}
		e.Mark()
		b.Executions = append(b.Executions, e)
	}
	if r.truth() {
		b.Annotations = r.annotations(len(b.Executions))
	}
	return b
}

func (r random) annotations(executions int) *testengine.Annotations {
	a := &testengine.Annotations{Tags: r.tags(), OwnerNames: r.texts()}
	for i := range executions {
		if len(a.OwnerNames) > 0 {
			a.Owners = append(a.Owners, int32(r.IntN(len(a.OwnerNames)+1)-1))
		}
		if r.IntN(5) == 0 {
			if a.Signatures == nil {
				a.Signatures = map[int]testengine.Signature{}
			}
			a.Signatures[i] = testengine.Signature{Message: r.Uint64(), Full: r.Uint64()}
		}
		if r.IntN(5) == 0 {
			if a.Executions == nil {
				a.Executions = map[int][]testengine.Tag{}
			}
			a.Executions[i] = r.tags()
		}
	}
	return a
}

func (r random) run() *testengine.Run {
	return &testengine.Run{
		ID: r.text(), RunID: r.text(), Event: testengine.RunClosed, Org: r.text(), Suite: r.text(), RunKey: r.text(), Branch: r.text(),
		CommitSHA: r.text(), URL: r.text(), Number: r.text(), Generation: r.number(), Time: r.long(), FirstUploadAt: r.long(),
		LastUploadAt: r.long(), Uploads: r.number(), Executions: r.number(), Passed: r.number(), Failed: r.number(),
		Skipped: r.number(), Unknown: r.number(), Storm: r.text(),
	}
}

func (r random) verdict() *testengine.Verdict {
	v := &testengine.Verdict{
		ID: r.text(), Time: testengine.Time(r.long()), Type: testengine.FlakyDetected, Org: r.text(), Suite: r.text(), TestID: r.text(),
		Scope: r.text(), Name: r.text(), Location: r.text(), File: r.text(), Variant: r.text(), Owner: r.text(),
		Rule: testengine.Rule{ID: r.text(), Version: r.number()}, Probability: r.double(), Signatures: append([]string{}, r.texts()...),
		FirstFailure: testengine.Time(r.long()), LastFailure: testengine.Time(r.long()), Episode: r.number(),
		Evidence: testengine.Evidence{
			FailureReasons: append([]string{}, r.texts()...), Commits: append([]string{}, r.texts()...),
			Executions: append([]string{}, r.texts()...), Runs: r.texts(), Branches: r.texts(), Note: r.text(),
		},
	}
	for range r.IntN(4) {
		if v.Evidence.Numbers == nil {
			v.Evidence.Numbers = map[string]float64{}
		}
		v.Evidence.Numbers[r.text()] = r.double()
	}
	return v
}

func (r random) report() *testengine.UploadReport {
	u := &testengine.UploadReport{
		Position: r.position(), UploadID: r.text(), Org: r.text(), Suite: r.text(), RunID: r.text(), RunKey: r.text(), Format: r.text(),
		Collector: r.text(), Branch: r.text(), CommitSHA: r.text(), ReceivedAt: r.long(), Time: r.long(), Bytes: r.number(),
		Received: r.number(), Accepted: r.number(), Rejected: r.number(), Duplicate: r.truth(), WithoutResult: r.number(), SuiteErrors: r.number(),
	}
	if r.truth() {
		u.Chunk = &testengine.Chunk{Index: r.number(), Count: r.number(), FirstIndex: r.number()}
	}
	for range r.IntN(4) {
		u.Problems = append(u.Problems, testengine.Problem{Index: r.number(), Field: r.text(), Reason: r.text(), Snippet: r.text()})
		if u.ProblemCounts == nil {
			u.ProblemCounts = map[string]int{}
		}
		u.ProblemCounts[r.text()] = r.number()
	}
	return u
}

// record makes a record of each kind in turn.
func (r random) record(n int) *testengine.Record {
	switch Record(n % recordCount) {
	case RecordUpload:
		return r.upload()
	case RecordBlock:
		v := r.block()
		return &testengine.Record{Kind: testengine.KindBlock, Org: v.Upload.Org, Suite: v.Upload.Suite, Value: v}
	case RecordVerdict:
		v := r.verdict()
		return &testengine.Record{Kind: testengine.KindVerdict, Org: v.Org, Suite: v.Suite, Value: v}
	case RecordRun:
		v := r.run()
		return &testengine.Record{Kind: testengine.KindRun, Org: v.Org, Suite: v.Suite, Value: v}
	case RecordUploadReport:
		v := r.report()
		return &testengine.Record{Kind: testengine.KindUploadReport, Org: v.Org, Suite: v.Suite, Value: v}
	}
	panic("there is no such record")
}

// typical is a block as an RSpec suite gives it: a few tests a scope, a few scopes a file, 1 % failed.
func typical(executions int) *testengine.Block {
	r := newRandom(7)
	b := &testengine.Block{Position: testengine.Position{LogID: "Tz9sYl7GQ2y9fBqf3dE0aA", Partition: 3, Offset: 912_345}, Upload: &testengine.Upload{
		ID: "up_6k2jm0q9z8s3v7c1x5b4n2m0a9", Org: "acme", Suite: "backend", DefaultBranch: "main", Format: "json",
		ReceivedAt: 1_760_000_000_000, Time: 1_760_000_000_100, RunKey: "018f-4711", RunID: "run_00c0ffee00c0ffee", Branch: "feature/fast",
		CommitSHA: "8843d7f92416211de9ebb963ff4ce28125932878", CI: "buildkite", URL: "https://buildkite.com/acme/backend/builds/4711",
		Number: "4711", JobID: "018f-job", Message: "Make it fast", Collector: "ruby-buildkite-test_collector", CollectorVersion: "2.7.2",
	}}
	for i := range executions {
		e := testengine.Execution{
			Index: i, TestID: r.Uint64(), Scope: fmt.Sprintf("Orders::Checkout#total step %d", i/5),
			Name: fmt.Sprintf("adds the tax of country %d to the sum of all lines", i), Location: fmt.Sprintf("./spec/models/orders/checkout_%d_spec.rb:%d", i/20, i%20*7+3),
			File: fmt.Sprintf("spec/models/orders/checkout_%d_spec.rb", i/20), Result: testengine.ResultPassed,
			Duration: r.Float64(), HasDuration: true,
		}
		if r.IntN(100) == 0 {
			e.Result, e.FailureReason = testengine.ResultFailed, "expected: 200\n     got: 503\n\n(compared using ==)"
			e.Detail().FailureExpanded = `[{"backtrace":["./spec/models/orders/checkout_spec.rb:42:in 'block'"],"expanded":["expected: 200"]}]`
		}
		e.Mark()
		b.Executions = append(b.Executions, e)
	}
	return b
}
