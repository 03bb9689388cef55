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
	if q.Range, err = s.withinIfAsked(c); err != nil {
		return q, err
	}
	q.Paging, err = c.paging()
	return q, err
}

var runIDs = regexp.MustCompile(`^run_[0-9a-f]{16}$`)

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
