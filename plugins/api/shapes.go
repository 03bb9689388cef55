package api

import (
	"github.com/connect-testengine/connect-testengine/plugins/api/page"
	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// The shapes of answers follow Buildkite's REST API where it has the object;
// fields below the blank line are ours.

type suiteJSON struct {
	ID              string  `json:"id"`
	GraphqlID       *string `json:"graphql_id"`
	OrganizationID  string  `json:"organization_id"`
	Slug            string  `json:"slug"`
	Name            string  `json:"name"`
	URL             string  `json:"url"`
	WebURL          string  `json:"web_url"`
	DefaultBranch   string  `json:"default_branch"`
	ApplicationName *string `json:"application_name"`
	Color           *string `json:"color"`
	Emoji           *string `json:"emoji"`

	Tests        int                 `json:"tests_count"`
	ByState      map[query.State]int `json:"tests_count_by_state"`
	Runs         int                 `json:"runs_count"`
	Executions   int64               `json:"executions_count"`
	LastUploadAt testengine.Time     `json:"last_upload_at"`
}

type testJSON struct {
	ID       string   `json:"id"`
	URL      string   `json:"url"`
	WebURL   string   `json:"web_url"`
	Scope    string   `json:"scope"`
	Name     string   `json:"name"`
	Location string   `json:"location"`
	FileName string   `json:"file_name"`
	Labels   []string `json:"labels"`

	Reliability     *float64         `json:"reliability"`
	DurationAvg     *float64         `json:"duration_avg"`
	DurationSum     *float64         `json:"duration_sum"`
	DurationMin     *float64         `json:"duration_min"`
	DurationMax     *float64         `json:"duration_max"`
	Executions      int64            `json:"executions_count"`
	ByResult        map[string]int64 `json:"executions_count_by_result"`
	State           query.State      `json:"state"`
	StateSince      testengine.Time  `json:"state_since"`
	Probability     *float64         `json:"probability"`
	Owner           string           `json:"owner"`
	FirstSeenAt     testengine.Time  `json:"first_seen_at"`
	LastSeenAt      testengine.Time  `json:"last_seen_at"`
	LastFailureAt   testengine.Time  `json:"last_failure_at"`
	DurationP50     *float64         `json:"duration_p50"`
	DurationP95     *float64         `json:"duration_p95"`
	RecentResults   []string         `json:"recent_results"`
	Verdict         *verdictRefJSON  `json:"verdict"`
	LastFailureText string           `json:"last_failure_reason"`
}

// verdictRefJSON is the event a test's state rests on.
type verdictRefJSON struct {
	ID       string                 `json:"id"`
	Type     testengine.VerdictType `json:"type"`
	Time     testengine.Time        `json:"time"`
	Rule     testengine.Rule        `json:"rule"`
	Evidence testengine.Evidence    `json:"evidence"`
}

// flakyJSON is an entry of the list Buildkite calls flaky tests.
type flakyJSON struct {
	testJSON
	Instances            int64            `json:"instances"`
	LatestOccurrenceAt   testengine.Time  `json:"latest_occurrence_at"`
	MostRecentInstanceAt testengine.Time  `json:"most_recent_instance_at"`
	LastResolvedAt       *testengine.Time `json:"last_resolved_at"`
	OwnershipTeamIDs     []string         `json:"ownership_team_ids"`
}

type runJSON struct {
	ID        string          `json:"id"`
	Branch    string          `json:"branch"`
	CommitSHA string          `json:"commit_sha"`
	State     query.RunState  `json:"state"`
	Result    string          `json:"result"`
	URL       string          `json:"url"`
	WebURL    string          `json:"web_url"`
	BuildID   string          `json:"build_id"`
	CreatedAt testengine.Time `json:"created_at"`

	Number       string           `json:"number"`
	Message      string           `json:"message"`
	CI           string           `json:"ci"`
	BuildURL     string           `json:"build_url"`
	FinishedAt   testengine.Time  `json:"last_upload_at"`
	Uploads      int              `json:"uploads_count"`
	Executions   int64            `json:"executions_count"`
	ByResult     map[string]int64 `json:"executions_count_by_result"`
	TestsFailed  int              `json:"tests_failed_count"`
	TestsRetried int              `json:"tests_passed_on_retry_count"`
	Storm        string           `json:"storm"`
}

type failedExecutionJSON struct {
	ExecutionID      string             `json:"execution_id"`
	RunID            string             `json:"run_id"`
	TestID           string             `json:"test_id"`
	RunName          string             `json:"run_name"`
	CommitSHA        string             `json:"commit_sha"`
	CreatedAt        testengine.Time    `json:"created_at"`
	Branch           string             `json:"branch"`
	FailureReason    string             `json:"failure_reason"`
	FailureExpanded  testengine.RawJSON `json:"failure_expanded,omitempty"`
	Duration         *float64           `json:"duration"`
	Location         string             `json:"location"`
	TestName         string             `json:"test_name"`
	RunURL           string             `json:"run_url"`
	TestURL          string             `json:"test_url"`
	TestExecutionURL string             `json:"test_execution_url"`
	Tags             map[string]string  `json:"tags"`

	PassedOnRetry bool   `json:"passed_on_retry"`
	Signature     string `json:"signature"`
}

type uploadJSON struct {
	ID     string `json:"id"`
	State  string `json:"state"` // pending or processed
	URL    string `json:"url"`
	WebURL string `json:"web_url"`

	*testengine.UploadReport
	Message    string           `json:"message,omitempty"`
	ReceivedAt *testengine.Time `json:"received_at,omitempty"`
	Time       *testengine.Time `json:"time,omitempty"`
	Duplicate  *bool            `json:"duplicate,omitempty"`
	Duplicates *int             `json:"duplicates,omitempty"`
	// These say 0 too.
	WithoutResult *int `json:"without_result,omitempty"`
	SuiteErrors   *int `json:"suite_errors,omitempty"`
	// Chunks is in how many records the upload came.
	Chunks           int    `json:"chunks_count,omitempty"`
	CollectorVersion string `json:"collector_version,omitempty"`
	// Problems is an array even when it is empty.
	Problems *[]testengine.Problem `json:"problems,omitempty"`
}

func (s *site) suiteToJSON(f query.Suite) suiteJSON {
	base := s.door.BaseURL()
	return suiteJSON{
		ID: testengine.FormatID(testengine.SuiteSeed(f.Org, f.Suite)), OrganizationID: f.Org, Slug: f.Suite, Name: f.Suite,
		URL: base + page.APIPath(f.SuiteKey), WebURL: base + page.SuitePath(f.SuiteKey), DefaultBranch: f.DefaultBranch,
		Tests: f.Tests, ByState: f.ByState, Runs: f.Runs, Executions: f.Executions, LastUploadAt: testengine.Time(f.LastUploadAt),
	}
}

func (s *site) testToJSON(t *query.Test) testJSON {
	id, base := testengine.FormatID(t.ID), s.door.BaseURL()
	j := testJSON{
		ID: id, URL: base + page.APIPath(t.SuiteKey, "tests", id), WebURL: base + page.SuitePath(t.SuiteKey, "tests", id),
		Scope: t.Scope, Name: t.Name, Location: t.Location, FileName: t.File, Labels: []string{},
		Executions: t.Counts.Total(), ByResult: byResult(t.Counts), State: t.State, StateSince: testengine.Time(t.StateSince), Owner: t.Owner,
		FirstSeenAt: testengine.Time(t.FirstSeenAt), LastSeenAt: testengine.Time(t.LastSeenAt), LastFailureAt: testengine.Time(t.LastFailureAt),
		RecentResults: []string{},
	}
	if fraction, ok := t.Counts.Reliability(); ok {
		j.Reliability = &fraction
	}
	if d := t.Durations; d.Known {
		j.DurationAvg, j.DurationSum, j.DurationMin, j.DurationMax, j.DurationP50, j.DurationP95 = &d.Avg, &d.Sum, &d.Min, &d.Max, &d.P50, &d.P95
	}
	for _, r := range t.Recent {
		j.RecentResults = append(j.RecentResults, r.String())
	}
	if v := t.Verdict; v != nil {
		j.Probability = &t.Probability
		j.Verdict = &verdictRefJSON{ID: v.ID, Type: v.Type, Time: v.Time, Rule: v.Rule, Evidence: v.Evidence}
	}
	if len(t.Failures) > 0 {
		j.LastFailureText = t.Failures[0].FailureReason
	}
	return j
}

func (s *site) runToJSON(r *query.Run) runJSON {
	base := s.door.BaseURL()
	return runJSON{
		ID: r.ID, Branch: r.Branch, CommitSHA: r.CommitSHA, State: r.State, Result: r.Result(),
		URL: base + page.APIPath(r.SuiteKey, "runs", r.ID), WebURL: base + page.SuitePath(r.SuiteKey, "runs", r.ID),
		BuildID: r.Key, CreatedAt: testengine.Time(r.FirstUploadAt), Number: r.Number, Message: r.Message, CI: r.CI, BuildURL: r.URL,
		FinishedAt: testengine.Time(r.LastUploadAt), Uploads: r.Uploads, Executions: r.Counts.Total(), ByResult: byResult(r.Counts),
		TestsFailed: r.TestsFailed, TestsRetried: r.TestsRetried, Storm: r.Storm,
	}
}

func (s *site) uploadToJSON(key query.SuiteKey, u *query.Upload) uploadJSON {
	base := s.door.BaseURL()
	received, at := testengine.Time(u.ReceivedAt), testengine.Time(u.Time)
	problems := append([]testengine.Problem{}, u.Problems...)
	return uploadJSON{
		ID: u.UploadID, State: "processed", URL: base + page.APIPath(key, "uploads", u.UploadID), WebURL: base + page.SuitePath(key, "uploads", u.UploadID),
		UploadReport: &u.UploadReport, Problems: &problems, ReceivedAt: &received, Time: &at, Duplicates: &u.Duplicates,
		WithoutResult: &u.WithoutResult, SuiteErrors: &u.SuiteErrors, Chunks: u.Chunks, CollectorVersion: u.CollectorVersion,
	}
}

func byResult(c query.Counts) map[string]int64 {
	return map[string]int64{"passed": c.Passed, "failed": c.Failed, "skipped": c.Skipped, "pending": c.Pending, "unknown": c.Unknown}
}
