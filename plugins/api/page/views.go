package page

import (
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// SuitesView lists suites.
type SuitesView struct {
	Frame
	List []query.Suite
}

// Choice is one entry of a row of links.
type Choice struct {
	Label, Value, Href string
	Count              int
	HasCount, Current  bool
}

// TestsView lists tests: the suspicious ones with their evidence, or all.
type TestsView struct {
	Frame
	Facts  query.Suite
	Flaky  bool
	States []Choice
	Period string
	Search string
	Owner  string
	List   query.Page[query.Test]
	Pager  Pager
	// Hello is set for a suite without uploads: how to send the first one.
	Hello string
}

// TestView is one test.
type TestView struct {
	Frame
	Test     query.Test
	Period   string
	Branches []BranchHistory
	// More are the branches that are folded away.
	More   []BranchHistory
	Shown  int
	Groups []query.FailureGroup
	Events []testengine.Verdict
	Chart  Chart
}

// BranchHistory is what a test did on one branch, run by run, oldest first.
type BranchHistory struct {
	Branch string
	Runs   []RunMark
}

// FirstBranches is how many branches are shown unfolded.
const FirstBranches = 10

// RunMark is what a test did in one run.
type RunMark struct {
	RunID   string
	Outcome string // passed, failed, mixed, skipped
	At      int64
	Commit  string
	Seconds float64
	// Attempts counts its executions in the run.
	Attempts int
}

// HistoryByBranch turns executions (newest first) into marks; the branch that
// ran last comes first, the default branch before all.
func HistoryByBranch(executions []query.Execution, defaultBranch string) []BranchHistory {
	var branches []BranchHistory
	place := map[string]int{}
	runPlace := map[[2]string]int{}
	for i := range executions {
		e := &executions[i]
		b, ok := place[e.Branch]
		if !ok {
			b = len(branches)
			place[e.Branch] = b
			branches = append(branches, BranchHistory{Branch: e.Branch})
		}
		key := [2]string{e.Branch, e.RunID}
		r, ok := runPlace[key]
		if !ok {
			r = len(branches[b].Runs)
			runPlace[key] = r
			branches[b].Runs = append(branches[b].Runs, RunMark{RunID: e.RunID, Outcome: "skipped", At: e.At, Commit: e.CommitSHA})
		}
		branches[b].Runs[r].add(e)
	}
	for i := range branches {
		slices.Reverse(branches[i].Runs)
	}
	if i, ok := place[defaultBranch]; ok && i > 0 {
		first := branches[i]
		branches = slices.Insert(slices.Delete(branches, i, i+1), 0, first)
	}
	return branches
}

func (m *RunMark) add(e *query.Execution) {
	m.Attempts++
	m.Seconds = max(m.Seconds, e.Duration)
	outcome := e.Result.String()
	switch {
	case e.Retried:
		m.Outcome = "mixed"
	case !e.Result.Decisive(), m.Outcome == outcome:
	case m.Outcome == "skipped":
		m.Outcome = outcome
	default:
		m.Outcome = "mixed"
	}
}

// RunsView lists runs.
type RunsView struct {
	Frame
	Facts   query.Suite
	Results []Choice
	Branch  string
	List    query.Page[query.Run]
	Pager   Pager
	Hello   string
}

// RunView is one run with the tests that failed in it.
type RunView struct {
	Frame
	Run      query.Run
	Failures query.Page[query.RunTest]
	Pager    Pager
	Uploads  []query.Upload
	// Pending is set when the run's first upload is not processed yet.
	Pending bool
}

// UploadsView lists uploads.
type UploadsView struct {
	Frame
	Facts query.Suite
	Kinds []Choice
	List  query.Page[query.Upload]
	Pager Pager
	Hello string
}

// UploadView is one upload with its problems.
type UploadView struct {
	Frame
	ID     string
	Upload query.Upload
	// Pending is set when the upload is not processed yet, or unknown.
	Pending bool
	Counts  []ProblemCount
}

// ProblemCount says how often a problem occurred.
type ProblemCount struct {
	Problem string
	Count   int
}

// SlicesView is the form of a slice, and its answer when it was asked.
type SlicesView struct {
	Frame
	Measures   []MeasureChoice
	Keys       []string
	By         []string // always MaxGroupBys entries, "" for none
	Filter     string
	Period     string
	Minimum    string
	Maximum    string
	Asked      bool
	Problem    string
	ProblemOf  string // the field the problem belongs to
	Slice      query.Slice
	Table      query.Table
	Chart      Chart
	Took       string
	CSV, JSON  string
	Share      string
	PeriodList []string
}

// MeasureChoice is one measure of the form.
type MeasureChoice struct {
	Measure query.Measure
	Chosen  bool
}

// LoginView asks for a token.
type LoginView struct {
	Frame
	Next    string
	Refused string
}

// ProblemView says what went wrong and what to do.
type ProblemView struct {
	Frame
	Status  int
	Message string
}
