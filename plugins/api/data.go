package api

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/api/page"
	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// suites lists the suites of an organisation that the reader may see.
func (s *site) suites(c *call) error {
	all, err := s.visible(c)
	if err != nil {
		return err
	}
	list := []suiteJSON{}
	for _, suite := range all {
		if suite.Org == c.key.Org {
			list = append(list, s.suiteToJSON(suite))
		}
	}
	return c.json(http.StatusOK, list)
}

func (s *site) suite(c *call) error {
	facts, err := s.suiteFacts(c)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, s.suiteToJSON(facts))
}

func (s *site) tests(c *call) error {
	found, err := s.findTests(c, query.OrderDurationAvg, nil)
	if err != nil {
		return err
	}
	list := make([]testJSON, 0, len(found))
	for i := range found {
		list = append(list, s.testToJSON(&found[i]))
	}
	return c.json(http.StatusOK, list)
}

func (s *site) flakyTests(c *call) error {
	found, err := s.findTests(c, query.OrderBadness, []query.State{query.StateFlaky})
	if err != nil {
		return err
	}
	list := make([]flakyJSON, 0, len(found))
	for i := range found {
		t := &found[i]
		list = append(list, flakyJSON{
			testJSON: s.testToJSON(t), Instances: t.Counts.Failed, LatestOccurrenceAt: testengine.Time(t.LastFailureAt),
			MostRecentInstanceAt: testengine.Time(t.LastFailureAt), OwnershipTeamIDs: []string{},
		})
	}
	return c.json(http.StatusOK, list)
}

func (s *site) findTests(c *call, order query.TestOrder, fallback []query.State) ([]query.Test, error) {
	q, none, err := s.testQuery(c, order)
	if err != nil {
		return nil, err
	}
	if len(q.States) == 0 {
		q.States = fallback
	}
	var found query.Page[query.Test]
	if !none {
		if found, err = s.store.Tests(c.ctx, q); err != nil {
			return nil, err
		}
	}
	s.linkHeader(c, q.Paging, found.Total)
	return found.Items, nil
}

func (s *site) test(c *call) error {
	id, err := testID(c)
	if err != nil {
		return err
	}
	within, err := s.within(c, defaultPeriod)
	if err != nil {
		return err
	}
	t, err := s.store.Test(c.ctx, c.key, id, within)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, s.testToJSON(&t))
}

func testID(c *call) (uint64, error) {
	text := c.r.PathValue("id")
	id, err := testengine.ParseID(text)
	if err != nil || len(text) != 16 {
		return 0, query.ErrNotFound
	}
	return id, nil
}

func (s *site) runs(c *call) error {
	q, err := s.runQuery(c)
	if err != nil {
		return err
	}
	found, err := s.store.Runs(c.ctx, q)
	if err != nil {
		return err
	}
	s.linkHeader(c, q.Paging, found.Total)
	list := make([]runJSON, 0, len(found.Items))
	for i := range found.Items {
		list = append(list, s.runToJSON(&found.Items[i]))
	}
	return c.json(http.StatusOK, list)
}

func (s *site) runQuery(c *call) (q query.RunQuery, err error) {
	values := c.r.URL.Query()
	q = query.RunQuery{SuiteKey: c.key, Branch: values.Get("branch"), Key: values.Get("build_id"), Result: values.Get("result")}
	if q.Result != "" && !slices.Contains([]string{"passed", "failed", "pending"}, q.Result) {
		return q, &query.FieldError{Field: "result", Reason: "write passed, failed or pending"}
	}
	if values.Get("period")+values.Get("min_timestamp")+values.Get("max_timestamp") != "" {
		if q.Range, err = s.within(c, defaultPeriod); err != nil {
			return q, err
		}
	}
	q.Paging, err = c.paging()
	return q, err
}

var (
	runIDs    = regexp.MustCompile(`^run_[0-9a-f]{16}$`)
	uploadIDs = regexp.MustCompile(`^up_[0-9a-z]{26}$`)
)

func (s *site) run(c *call) error {
	id := c.r.PathValue("id")
	r, err := s.store.Run(c.ctx, c.key, id)
	if errors.Is(err, query.ErrNotFound) && runIDs.MatchString(id) {
		r = query.Run{SuiteKey: c.key, ID: id, State: query.RunRunning}
	} else if err != nil {
		return err
	}
	return c.json(http.StatusOK, s.runToJSON(&r))
}

func (s *site) failedExecutions(c *call) error {
	paging, err := c.paging()
	if err != nil {
		return err
	}
	expanded, err := c.truth("include_failure_expanded")
	if err != nil {
		return err
	}
	run, err := s.store.Run(c.ctx, c.key, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	found, err := s.store.RunFailures(c.ctx, c.key, run.ID, paging)
	if err != nil {
		return err
	}
	s.linkHeader(c, paging, found.Total)
	list := []failedExecutionJSON{}
	for i := range found.Items {
		list = append(list, s.failedAttempts(c, &run, &found.Items[i], expanded)...)
	}
	return c.json(http.StatusOK, list)
}

func (s *site) failedAttempts(c *call, run *query.Run, t *query.RunTest, expanded bool) (list []failedExecutionJSON) {
	base, id := s.door.BaseURL(), testengine.FormatID(t.TestID)
	name := run.Number
	if name == "" {
		name = run.Key
	}
	for i := range t.Attempts {
		e := &t.Attempts[i]
		if e.Result != testengine.ResultFailed && !e.Retried {
			continue
		}
		j := failedExecutionJSON{
			ExecutionID: e.ID, RunID: run.ID, TestID: id, RunName: name, CommitSHA: e.CommitSHA, CreatedAt: testengine.Time(e.At), Branch: e.Branch,
			FailureReason: e.FailureReason, Location: e.Location, TestName: strings.TrimSpace(t.Scope + " " + t.Name),
			RunURL: base + page.SuitePath(c.key, "runs", run.ID), TestURL: base + page.SuitePath(c.key, "tests", id),
			TestExecutionURL: base + page.SuitePath(c.key, "runs", run.ID), Tags: map[string]string{}, PassedOnRetry: e.Retried || t.Passed(),
			Signature: testengine.FormatID(e.Signature),
		}
		if e.HasDuration {
			j.Duration = &e.Duration
		}
		if expanded {
			j.FailureExpanded = e.FailureExpanded
			if j.FailureExpanded == "" {
				j.FailureExpanded = "[]"
			}
		}
		for _, tag := range e.Tags {
			j.Tags[tag.Key] = tag.Value
		}
		list = append(list, j)
	}
	return list
}

func (s *site) uploads(c *call) error {
	q, err := s.uploadQuery(c)
	if err != nil {
		return err
	}
	found, err := s.store.Uploads(c.ctx, q)
	if err != nil {
		return err
	}
	s.linkHeader(c, q.Paging, found.Total)
	list := make([]uploadJSON, 0, len(found.Items))
	for i := range found.Items {
		list = append(list, s.uploadToJSON(c.key, &found.Items[i]))
	}
	return c.json(http.StatusOK, list)
}

func (s *site) uploadQuery(c *call) (q query.UploadQuery, err error) {
	values := c.r.URL.Query()
	q = query.UploadQuery{SuiteKey: c.key, RunID: values.Get("run_id")}
	if q.WithProblems, err = c.truth("problems"); err != nil {
		return q, err
	}
	if values.Get("period")+values.Get("min_timestamp")+values.Get("max_timestamp") != "" {
		if q.Range, err = s.within(c, defaultPeriod); err != nil {
			return q, err
		}
	}
	q.Paging, err = c.paging()
	return q, err
}

// upload answers what upload_url of a 202 points to. Between the 202 and the
// commit the store does not know the id yet, so an id of the right form is
// answered as pending, with 200: a collector that follows the link at once must
// not read that its upload is lost.
func (s *site) upload(c *call) error {
	id := c.r.PathValue("id")
	u, err := s.store.Upload(c.ctx, c.key, id)
	if errors.Is(err, query.ErrNotFound) && uploadIDs.MatchString(id) {
		base := s.door.BaseURL()
		return c.json(http.StatusOK, uploadJSON{
			ID: id, State: "pending", URL: base + page.APIPath(c.key, "uploads", id), WebURL: base + page.SuitePath(c.key, "uploads", id),
			Message: "the upload is in the log and not processed yet, or there is none of this id; ask again in a moment",
		})
	}
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, s.uploadToJSON(c.key, &u))
}

func (s *site) slices(c *call) error {
	q, err := s.sliceQuery(c)
	if err != nil {
		return err
	}
	format := c.r.URL.Query().Get("format")
	if format != "" && format != "json" && format != "csv" {
		return &query.FieldError{Field: "format", Reason: "write json or csv"}
	}
	table, err := s.store.Slice(c.ctx, q)
	if err != nil {
		return err
	}
	s.serverTiming(c)
	if format == "csv" {
		return c.csv("slice.csv", table)
	}
	return c.json(http.StatusOK, tableToJSON(table))
}

func (s *site) tagKeys(c *call) error {
	within, err := s.within(c, "30days")
	if err != nil {
		return err
	}
	keys, err := s.store.TagKeys(c.ctx, c.key, within)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, withBuiltins(keys))
}

// withBuiltins puts the keys that always exist behind the tags, each once.
func withBuiltins(keys []string) []string {
	list := slices.Clone(keys)
	for _, key := range query.BuiltinKeys {
		if !slices.Contains(list, key) {
			list = append(list, key)
		}
	}
	return list
}

func (s *site) tagValues(c *call) error {
	limit, err := c.number("limit", 50, 1000)
	if err != nil {
		return err
	}
	values, err := s.store.TagValues(c.ctx, c.key, c.r.PathValue("key"), c.r.URL.Query().Get("prefix"), limit)
	if err != nil {
		return err
	}
	if values == nil {
		values = []string{}
	}
	return c.json(http.StatusOK, values)
}
