// Package storetest is the conformance suite of stores: random histories are
// written to an engine and to the plain store of package querytest, and both
// must answer every question alike. DuckDB runs it, and so does every engine to come.
package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/api/querytest"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Record is what a pipeline emits for one record of the log, in order: blocks,
// then verdicts and runs, then the report.
type Record struct {
	testengine.Position
	Blocks   []*testengine.Block
	Verdicts []*testengine.Verdict
	Runs     []*testengine.Run
	Report   *testengine.UploadReport
}

// World is a history, as records for an engine and as the plain store that knows the answers.
type World struct {
	Records []Record
	Plain   *querytest.Store
	// Suites, Branches and Keys are what questions can be asked about; FirstAt and LastAt bound the log time.
	Suites          []query.SuiteKey
	Branches, Keys  []string
	FirstAt, LastAt int64

	rng   *rand.Rand
	tests map[query.SuiteKey][]worldTest
	runs  map[string]*query.Run
}

type worldTest struct {
	id                          uint64
	scope, name, location, file string
	owner                       string
	flaky                       float64
}

const (
	uploads        = 60
	testsPerSuite  = 14
	executionsMost = 45
	blockSize      = 17
	startAt        = 1_760_000_000_000
	stepMillis     = 1_900_000
)

// NewWorld makes a history, the same for the same seed.
func NewWorld(seed uint64) *World {
	w := &World{
		Plain:    &querytest.Store{Branch: "main"},
		Suites:   []query.SuiteKey{{Org: "acme", Suite: "unit"}, {Org: "acme", Suite: "e2e"}, {Org: "other", Suite: "unit"}},
		Branches: []string{"main", "fix/a", "", "o'brien\"; DROP TABLE tests; --"},
		Keys: append([]string{"host.type", "host.arch", "cloud.region", "x'y\"z", "build.id", "shard", "missing"},
			query.BuiltinKeys...),
		FirstAt: startAt,
		rng:     rand.New(rand.NewPCG(seed, 3)),
		tests:   map[query.SuiteKey][]worldTest{}, runs: map[string]*query.Run{},
	}
	for _, key := range w.Suites {
		w.addTests(key)
	}
	for i := range uploads {
		w.upload(2*int64(i), startAt+int64(i)*stepMillis+w.rng.Int64N(stepMillis))
	}
	w.finish()
	return w
}

func (w *World) addTests(key query.SuiteKey) {
	for i := range testsPerSuite {
		t := worldTest{
			scope: fmt.Sprintf("Scope %d", i%4), name: fmt.Sprintf("does %d", i), file: fmt.Sprintf("spec/%d_spec.rb", i%5),
			owner: []string{"", "payments", "platform"}[i%3], flaky: []float64{0, 0, 0.1, 0.5}[i%4],
		}
		t.location = fmt.Sprintf("%s:%d", t.file, i)
		t.id = testengine.TestID(testengine.SuiteSeed(key.Org, key.Suite), t.scope, t.name)
		w.tests[key] = append(w.tests[key], t)
	}
}

func pick[T any](w *World, list []T) T { return list[w.rng.IntN(len(list))] }

func (w *World) upload(offset, at int64) {
	key := pick(w, w.Suites)
	run := w.run(key, at)
	up := &testengine.Upload{
		ID: fmt.Sprintf("up_%d", offset), Org: key.Org, Suite: key.Suite, DefaultBranch: "main", Format: "json", ReceivedAt: at, Time: at,
		RunKey: run.Key, RunID: run.ID, Branch: run.Branch, CommitSHA: run.CommitSHA, URL: run.URL, Number: run.Number, Message: run.Message, CI: run.CI,
		Collector: "ruby", CollectorVersion: pick(w, []string{"2.9.0", "2.10.0", ""}), Tags: []testengine.Tag{{Key: "host.type", Value: pick(w, []string{"c7g", "m6i", "c7g.large"})}, {Key: "build.id", Value: run.Key}},
	}
	record := Record{Position: testengine.Position{LogID: "log_world", Partition: int(offset / 2 % 2), Offset: offset}}
	core := []testengine.Tag{{Key: "cloud.region", Value: pick(w, []string{"eu", "us"})}, {Key: "host.type", Value: "core tags lose"}}
	u := query.Upload{UploadReport: testengine.UploadReport{
		Position: record.Position, UploadID: up.ID, Org: key.Org, Suite: key.Suite, RunID: run.ID, RunKey: run.Key, Format: "json",
		Collector: "ruby", Branch: run.Branch, CommitSHA: run.CommitSHA, ReceivedAt: at, Time: at, Bytes: 1000 + int(offset),
	}, Chunks: 1}
	n := w.rng.IntN(executionsMost)
	var all []testengine.Execution
	for i := range n {
		if w.rng.IntN(15) == 0 {
			u.Rejected++
			u.Problems = append(u.Problems, testengine.Problem{Index: i, Field: "name", Reason: "it is missing", Snippet: `{"a":"'"}`})
			u.ProblemCounts = map[string]int{"name: it is missing": u.Rejected, fmt.Sprintf("body: the text is broken at byte %d: it's \"odd\"", i): 1}
			continue
		}
		all = append(all, w.execution(i, pick(w, w.tests[key])))
	}
	u.Received, u.Accepted, u.SuiteErrors = n, len(all), w.rng.IntN(3)
	for i := range all {
		if all[i].Result == testengine.ResultUnknown {
			u.WithoutResult++
		}
	}
	if len(all) > 0 { // the version is known from blocks
		u.CollectorVersion = up.CollectorVersion
	}
	for first := 0; first < len(all); first += blockSize {
		record.Blocks = append(record.Blocks, w.block(record.Position, first, up, core, all[first:min(first+blockSize, len(all))], run))
	}
	run.Uploads++
	run.LastUploadAt = at
	report := u.UploadReport
	record.Report = &report
	w.LastAt = at
	w.event(&record, key, at)
	w.Records = append(w.Records, record)
	if w.rng.IntN(6) == 0 {
		u.Duplicates = 1
		w.again(record, report)
	}
	w.Plain.UploadList = append(w.Plain.UploadList, u)
}

// again delivers the same body once more.
func (w *World) again(record Record, report testengine.UploadReport) {
	record.Offset++
	w.Records = append(w.Records, Record{Position: record.Position, Report: &testengine.UploadReport{
		Position: record.Position, UploadID: report.UploadID, Org: report.Org, Suite: report.Suite,
		ReceivedAt: report.ReceivedAt + 1, Time: report.Time, Bytes: report.Bytes, Duplicate: true,
	}})
}

func (w *World) run(key query.SuiteKey, at int64) *query.Run {
	name := fmt.Sprintf("build-%d", w.rng.IntN(6))
	id := testengine.RunID(testengine.SuiteSeed(key.Org, key.Suite), name)
	if run := w.runs[id]; run != nil {
		return run
	}
	w.runs[id] = &query.Run{
		SuiteKey: key, ID: id, Key: name, Branch: pick(w, w.Branches), CommitSHA: fmt.Sprintf("c%d", w.rng.IntN(3)), URL: "https://ci/" + name,
		Number: "7", Message: "Fix", CI: "buildkite", State: query.RunRunning, FirstUploadAt: at,
	}
	w.Plain.RunList = append(w.Plain.RunList, query.Run{ID: id})
	return w.runs[id]
}

func (w *World) execution(index int, t worldTest) testengine.Execution {
	e := testengine.Execution{
		Index: index, TestID: t.id, Scope: t.scope, Name: t.name, Location: t.location, File: t.file,
		Result: pick(w, []testengine.Result{testengine.ResultPassed, testengine.ResultPassed, testengine.ResultPassed, testengine.ResultSkipped, testengine.ResultPending, testengine.ResultUnknown}),
	}
	if w.rng.IntN(5) > 0 {
		e.HasDuration, e.Duration = true, float64(w.rng.IntN(2_000_000))/1e6
	}
	if w.rng.Float64() < t.flaky {
		e.Result, e.FailureReason = testengine.ResultFailed, fmt.Sprintf("expected %d", w.rng.IntN(3))
		e.Detail().FailureExpanded = `[{"expanded":["a"]}]`
	} else if e.Result == testengine.ResultPassed && w.rng.IntN(30) == 0 {
		e.FailureReason = "failed inside the runner"
	}
	if w.rng.IntN(3) == 0 {
		e.Tags = append(e.Tags, testengine.Tag{Key: "host.arch", Value: pick(w, []string{"arm64", "amd64", "x'y\"z"})})
	}
	if w.rng.IntN(6) == 0 {
		e.Tags = append(e.Tags, testengine.Tag{Key: "shard", Value: strconv.Itoa(w.rng.IntN(9))}, testengine.Tag{Key: "host.type", Value: "own tags win"})
	}
	return e
}

func (w *World) block(p testengine.Position, first int, up *testengine.Upload, core []testengine.Tag, list []testengine.Execution, run *query.Run) *testengine.Block {
	key := query.SuiteKey{Org: up.Org, Suite: up.Suite}
	b := &testengine.Block{
		Position: p, First: first, Upload: up, Executions: list,
		Annotations: &testengine.Annotations{Tags: core, OwnerNames: []string{"payments", "platform"}, Signatures: map[int]testengine.Signature{}, Executions: map[int][]testengine.Tag{}},
	}
	for i := range list {
		e := &list[i]
		owner := int32(-1)
		t := w.tests[key][slices.IndexFunc(w.tests[key], func(t worldTest) bool { return t.id == e.TestID })]
		if t.owner != "" {
			owner = int32(slices.Index(b.Annotations.OwnerNames, t.owner))
		}
		b.Annotations.Owners = append(b.Annotations.Owners, owner)
		if e.FailureReason != "" {
			b.Annotations.Signatures[i] = testengine.Signature{Message: 1, Full: testengine.Hash(7, e.FailureReason)}
		}
		if w.rng.IntN(20) == 0 {
			b.Annotations.Executions[i] = []testengine.Tag{{Key: "shard", Value: "mapped"}, {Key: "cloud.region", Value: "mapped"}}
		}
		w.plain(b, i, t, run)
	}
	return b
}

// plain adds the execution to the plain store.
func (w *World) plain(b *testengine.Block, i int, t worldTest, run *query.Run) {
	e, up := &b.Executions[i], b.Upload
	tags := map[string]string{}
	for _, list := range [][]testengine.Tag{b.Annotations.Tags, up.Tags, b.Annotations.Executions[i], e.Tags} {
		for _, tag := range list {
			tags[tag.Key] = tag.Value
		}
	}
	stored := querytest.Execution{
		Execution: query.Execution{
			ID: b.ExecutionName(i), TestID: t.id, RunID: up.RunID, UploadID: up.ID, Branch: up.Branch, CommitSHA: up.CommitSHA, At: up.Time,
			Result: e.Result, Retried: e.RetriedInside(), HasDuration: e.HasDuration, Duration: e.Duration, Location: t.location,
		},
		SuiteKey: query.SuiteKey{Org: up.Org, Suite: up.Suite}, Scope: t.scope, Name: t.name, File: t.file, Owner: t.owner, AllTags: tags,
	}
	if e.Result == testengine.ResultFailed || e.RetriedInside() {
		stored.FailureReason, stored.FailureExpanded, stored.Signature = e.FailureReason, e.FailureExpanded(), b.Annotations.Signatures[i].Full
		for key, value := range tags {
			stored.Tags = append(stored.Tags, testengine.Tag{Key: key, Value: value})
		}
		slices.SortFunc(stored.Tags, func(a, b testengine.Tag) int { return compare(a.Key, b.Key) })
	}
	w.Plain.Executions = append(w.Plain.Executions, stored)
	c := &run.Counts
	*map[testengine.Result]*int64{
		testengine.ResultPassed: &c.Passed, testengine.ResultFailed: &c.Failed, testengine.ResultSkipped: &c.Skipped,
		testengine.ResultPending: &c.Pending, testengine.ResultUnknown: &c.Unknown,
	}[e.Result]++
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// event sometimes concludes something about a test that the history holds.
func (w *World) event(record *Record, key query.SuiteKey, at int64) {
	if w.rng.IntN(2) == 0 || len(record.Blocks) == 0 {
		return
	}
	e := pick(w, pick(w, record.Blocks).Executions)
	kind := pick(w, []testengine.VerdictType{
		testengine.TestNew, testengine.FlakySuspected, testengine.FlakyDetected, testengine.FlakyUpdated, testengine.FlakyHealed,
		testengine.FlakyStale, testengine.FlakyRetracted, testengine.TestBroken, testengine.TestFixed,
	})
	v := testengine.Verdict{
		ID: fmt.Sprintf("v%d", record.Offset), Time: testengine.Time(at), Type: kind, Org: key.Org, Suite: key.Suite,
		TestID: testengine.FormatID(e.TestID), Scope: e.Scope, Name: e.Name, Rule: testengine.Rule{ID: "rule", Version: 2},
		Probability: float64(w.rng.IntN(100)) / 128, Signatures: []string{"s"}, Episode: 1,
		Evidence: testengine.Evidence{FailureReasons: []string{"it's"}, Commits: []string{}, Executions: []string{}, Note: `because "so"`},
	}
	record.Verdicts = append(record.Verdicts, &v)
	w.Plain.Events = append(w.Plain.Events, v)
}

// finish closes all runs but those of the last record's suite, and counts their tests.
func (w *World) finish() {
	last := &w.Records[len(w.Records)-1]
	for i := range w.Plain.RunList {
		run := w.runs[w.Plain.RunList[i].ID]
		w.countTests(run)
		event := testengine.RunOpened
		if i%3 != 0 {
			event, run.State = testengine.RunClosed, query.RunFinished
		}
		last.Runs = append(last.Runs, &testengine.Run{
			ID: "e" + run.ID, RunID: run.ID, Event: event, Org: run.Org, Suite: run.Suite, RunKey: run.Key, Time: w.LastAt,
		})
		w.Plain.RunList[i] = *run
	}
}

func (w *World) countTests(run *query.Run) {
	passed, failed := map[uint64]bool{}, map[uint64]bool{}
	seen := map[uint64]bool{}
	for i := range w.Plain.Executions {
		e := &w.Plain.Executions[i]
		if e.RunID != run.ID {
			continue
		}
		seen[e.TestID] = true
		passed[e.TestID] = passed[e.TestID] || e.Result == testengine.ResultPassed
		failed[e.TestID] = failed[e.TestID] || e.Result == testengine.ResultFailed || e.Retried
	}
	for id := range seen {
		run.Tests++
		switch {
		case failed[id] && passed[id]:
			run.TestsRetried++
		case failed[id]:
			run.TestsFailed++
		}
	}
}
