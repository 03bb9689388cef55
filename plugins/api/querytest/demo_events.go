package querytest

import (
	"slices"
	"strconv"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// events writes the verdicts about the tests that were made to fail.
func (d *demo) events() {
	for i := range demoTests {
		t := &demoTests[i]
		failures := d.failures(t)
		if len(failures) == 0 {
			continue
		}
		switch {
		case t.broken:
			d.event(t, testengine.TestBroken, failures[len(failures)-2:], 0.97, "3 failing commits in a row")
		case t.flaky > 0.05:
			d.event(t, testengine.FlakySuspected, failures[:1], 0.52, "")
			half := failures[:min(len(failures), 6)]
			d.event(t, testengine.FlakyDetected, half, 0.93, "")
			d.event(t, testengine.FlakyUpdated, failures, 0.9+t.flaky/3, "")
		default:
			d.event(t, testengine.FlakySuspected, failures[:1], 0.41+t.flaky, "")
		}
	}
	slices.SortStableFunc(d.store.Events, func(a, b testengine.Verdict) int { return int(a.Time - b.Time) })
}

func (d *demo) failures(t *demoTest) []Execution {
	var list []Execution
	for _, e := range d.store.Executions {
		if e.Name == t.name && e.Scope == t.scope && e.Result == testengine.ResultFailed {
			list = append(list, e)
		}
	}
	return list
}

func (d *demo) event(t *demoTest, kind testengine.VerdictType, failures []Execution, probability float64, note string) {
	last := failures[len(failures)-1]
	d.store.Events = append(d.store.Events, NewVerdict(t.scope, t.name, t.file, t.owner, kind, failures, probability, note, last.At+65_000))
}

// NewVerdict makes an event about a test of DemoSuite with evidence from its failures.
func NewVerdict(scope, name, file, owner string, kind testengine.VerdictType, failures []Execution, probability float64, note string, at int64) testengine.Verdict {
	seed := testengine.SuiteSeed(DemoSuite.Org, DemoSuite.Suite)
	id := testengine.TestID(seed, scope, name)
	v := testengine.Verdict{
		ID:   testengine.FormatID(testengine.Hash(id, string(kind)+strconv.FormatInt(at, 10))),
		Time: testengine.Time(at), Type: kind, Org: DemoSuite.Org, Suite: DemoSuite.Suite, TestID: testengine.FormatID(id),
		Scope: scope, Name: name, File: file, Owner: owner, Rule: testengine.Rule{ID: "passed_on_retry", Version: 1},
		Probability: probability, Episode: 1, Signatures: []string{},
		Evidence: testengine.Evidence{FailureReasons: []string{}, Commits: []string{}, Executions: []string{}, Note: note, Numbers: map[string]float64{
			"failing_runs": float64(len(failures)), "runs": 130, "own_pieces": float64(len(failures)), "posterior_flaky": probability,
		}},
	}
	if kind == testengine.TestBroken {
		v.Rule.ID = "broken_test"
	}
	for i, e := range failures {
		if i == 0 {
			v.FirstFailure = testengine.Time(e.At)
		}
		v.LastFailure = testengine.Time(e.At)
		v.Evidence.Executions = addNew(v.Evidence.Executions, e.ID)
		v.Evidence.Commits = addNew(v.Evidence.Commits, e.CommitSHA)
		v.Evidence.Runs = addNew(v.Evidence.Runs, e.RunID)
		v.Evidence.Branches = addNew(v.Evidence.Branches, e.Branch)
		v.Evidence.FailureReasons = addNew(v.Evidence.FailureReasons, e.FailureReason)
		v.Signatures = addNew(v.Signatures, testengine.FormatID(e.Signature))
	}
	return v
}

// addNew appends a word that is not there yet and keeps the newest five.
func addNew(list []string, word string) []string {
	if slices.Contains(list, word) {
		return list
	}
	list = append(list, word)
	return list[max(0, len(list)-5):]
}

var _ query.Store = (*Store)(nil)
