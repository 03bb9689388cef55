package api

import (
	"bytes"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/api/page"
	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/collector/answer"
)

// frame is what stands around every page.
func (s *site) frame(c *call, title, section string) page.Frame {
	f := page.Frame{
		Site: s.config.pageTitle, Title: title, Suite: c.key, Section: section, Path: c.r.URL.EscapedPath(), Query: c.r.URL.Query(),
		BaseURL: s.door.BaseURL(), CanLeave: c.who != nil, Live: section != "" && section != "slices",
	}
	if c.key.Suite != "" {
		if visible, err := s.visible(c); err == nil {
			for _, suite := range visible {
				f.Suites = append(f.Suites, suite.SuiteKey)
			}
		}
	}
	return f
}

func (s *site) page(c *call, name string, view any) error {
	return s.pageWithStatus(c, http.StatusOK, name, view)
}

func (s *site) pageWithStatus(c *call, status int, name string, view any) error {
	var body bytes.Buffer
	if err := s.renderer.Render(&body, name, fragment(c.r), view); err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Vary", "Accept, X-Fragment, Cookie")
	s.serverTiming(c)
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body.Bytes()) // the reader may have gone
	return nil
}

// noPage is what somebody sees who typed a path below a suite by hand.
func (*site) noPage(c *call) error {
	return &problem{http.StatusNotFound, "there is no page at " + c.r.URL.Path}
}

func (s *site) problemPage(c *call, p *problem) {
	titles := map[int]string{http.StatusNotFound: "Not found", http.StatusServiceUnavailable: "In a moment", http.StatusForbidden: "Not yours", http.StatusBadRequest: "That question has a mistake"}
	title := titles[p.status]
	if title == "" {
		title = "Something went wrong"
	}
	f := page.Frame{Site: s.config.pageTitle, Title: title, Path: c.r.URL.EscapedPath()}
	if err := s.pageWithStatus(c, p.status, page.Problem, page.ProblemView{Frame: f, Status: p.status, Message: p.message}); err != nil {
		_ = c.json(p.status, map[string]string{"message": p.message})
	}
}

// rootPage lists the suites, or goes to the only one.
func (s *site) rootPage(c *call) error {
	list, err := s.visible(c)
	if err != nil {
		return err
	}
	if c.key.Org != "" {
		list = slices.DeleteFunc(slices.Clone(list), func(q query.Suite) bool { return q.Org != c.key.Org })
	}
	if len(list) == 1 {
		http.Redirect(c.w, c.r, page.SuitePath(list[0].SuiteKey, "flaky"), http.StatusFound)
		return nil
	}
	return s.page(c, page.Suites, page.SuitesView{Frame: s.frame(c, "Suites", ""), List: list})
}

func (*site) suitePage(c *call) error {
	http.Redirect(c.w, c.r, page.SuitePath(c.key, "flaky"), http.StatusFound)
	return nil
}

func (s *site) flakyPage(c *call) error {
	return s.listTests(c, page.TestsView{Frame: s.frame(c, "Flaky tests", "flaky"), Flaky: true})
}

func (s *site) testsPage(c *call) error {
	return s.listTests(c, page.TestsView{Frame: s.frame(c, "Tests", "tests")})
}

// worrying are the states the flaky page shows.
var worrying = []query.State{query.StateFlaky, query.StateBroken, query.StateSuspected, query.StateStale}

func (s *site) listTests(c *call, view page.TestsView) (err error) {
	if view.Facts, err = s.suiteFacts(c); err != nil {
		return err
	}
	q, none, err := s.testQuery(c, query.OrderBadness)
	if err != nil {
		return err
	}
	view.Hello = s.hello(view.Facts)
	view.Search, view.Owner, view.Period = q.Search, q.Owner, c.r.URL.Query().Get("period")
	if view.Period == "" {
		view.Period = defaultPeriod
	}
	view.States = stateChoices(&view, c.r.URL.Query().Get("state"))
	if view.Flaky && len(q.States) == 0 {
		q.States = worrying
	}
	if view.Hello == "" && !none {
		if view.List, err = s.store.Tests(c.ctx, q); err != nil {
			return err
		}
	}
	view.Pager = page.Pager{Frame: view.Frame, Paging: q.Paging, Total: view.List.Total}
	return s.page(c, page.Tests, view)
}

func stateChoices(view *page.TestsView, current string) []page.Choice {
	shown := query.States
	if view.Flaky {
		shown = worrying
	}
	all := page.Choice{Label: "All", Href: view.With("state", ""), HasCount: true, Current: current == ""}
	list := []page.Choice{}
	for _, state := range shown {
		count := view.Facts.ByState[state]
		all.Count += count
		label := strings.ToUpper(string(state[:1])) + string(state[1:])
		list = append(list, page.Choice{Label: label, Value: string(state), Count: count, HasCount: true, Current: current == string(state), Href: view.With("state", string(state))})
	}
	return append([]page.Choice{all}, list...)
}

// hello is what to paste into CI, for a suite that has no uploads yet.
func (s *site) hello(facts query.Suite) string {
	if facts.LastUploadAt != 0 {
		return ""
	}
	return answer.Variables(s.door.BaseURL(), "<your suite's token>")
}

func (s *site) testPage(c *call) error {
	id, err := testID(c)
	if err != nil {
		return err
	}
	within, err := s.within(c, defaultPeriod)
	if err != nil {
		return err
	}
	view := page.TestView{Frame: s.frame(c, "", "tests"), Period: c.r.URL.Query().Get("period")}
	if view.Period == "" {
		view.Period = defaultPeriod
	}
	if view.Test, err = s.store.Test(c.ctx, c.key, id, within); err != nil {
		return err
	}
	view.Title = strings.TrimSpace(view.Test.Scope + " " + view.Test.Name)
	history := query.HistoryQuery{SuiteKey: c.key, TestID: id, Limit: s.config.maxHistory}
	executions, err := s.store.History(c.ctx, history)
	if err != nil {
		return err
	}
	history.Limit = 20
	if view.Groups, err = s.store.FailureGroups(c.ctx, history); err != nil {
		return err
	}
	if view.Events, err = s.store.Verdicts(c.ctx, query.VerdictQuery{SuiteKey: c.key, TestID: id, Newest: true, Limit: 30}); err != nil {
		return err
	}
	slices.Reverse(view.Events)
	facts, err := s.suiteFacts(c)
	if err != nil {
		return err
	}
	view.Shown = len(executions)
	view.Branches = page.HistoryByBranch(executions, facts.DefaultBranch)
	if len(view.Branches) > page.FirstBranches {
		view.Branches, view.More = view.Branches[:page.FirstBranches], view.Branches[page.FirstBranches:]
	}
	view.Chart = page.DurationChart(executions)
	return s.page(c, page.Test, view)
}

func (s *site) runsPage(c *call) (err error) {
	view := page.RunsView{Frame: s.frame(c, "Runs", "runs")}
	if view.Facts, err = s.suiteFacts(c); err != nil {
		return err
	}
	q, err := s.runQuery(c)
	if err != nil {
		return err
	}
	view.Hello, view.Branch = s.hello(view.Facts), q.Branch
	for _, result := range []string{"", "failed", "passed", "pending"} {
		label := "All"
		if result != "" {
			label = strings.ToUpper(result[:1]) + result[1:]
		}
		view.Results = append(view.Results, page.Choice{Label: label, Value: result, Current: q.Result == result, Href: view.With("result", result)})
	}
	if view.List, err = s.store.Runs(c.ctx, q); err != nil {
		return err
	}
	view.Pager = page.Pager{Frame: view.Frame, Paging: q.Paging, Total: view.List.Total}
	return s.page(c, page.Runs, view)
}

// runPage is where run_url of a 202 points to; see upload about pending ids.
func (s *site) runPage(c *call) error {
	if !wantsPage(c.r) {
		return s.run(c)
	}
	id := c.r.PathValue("id")
	paging, err := c.paging()
	if err != nil {
		return err
	}
	view := page.RunView{Frame: s.frame(c, "Run", "runs")}
	view.Run, err = s.store.Run(c.ctx, c.key, id)
	if errors.Is(err, query.ErrNotFound) && runIDs.MatchString(id) {
		view.Pending, view.Run.ID = true, id
		return s.page(c, page.Run, view)
	}
	if err != nil {
		return err
	}
	if view.Run.Number != "" {
		view.Title = "Run #" + view.Run.Number
	}
	if view.Failures, err = s.store.RunFailures(c.ctx, c.key, id, paging); err != nil {
		return err
	}
	uploads, err := s.store.Uploads(c.ctx, query.UploadQuery{SuiteKey: c.key, RunID: id, Paging: query.Paging{Number: 1, Size: maxPerPage}})
	if err != nil {
		return err
	}
	view.Uploads = uploads.Items
	view.Pager = page.Pager{Frame: view.Frame, Paging: paging, Total: view.Failures.Total}
	return s.page(c, page.Run, view)
}

func (s *site) uploadsPage(c *call) (err error) {
	view := page.UploadsView{Frame: s.frame(c, "Uploads", "uploads")}
	if view.Facts, err = s.suiteFacts(c); err != nil {
		return err
	}
	q, err := s.uploadQuery(c)
	if err != nil {
		return err
	}
	view.Hello = s.hello(view.Facts)
	current := ""
	if q.WithProblems {
		current = "problems"
	}
	view.Kinds = uploadKinds(&view.Frame, current)
	if view.List, err = s.store.Uploads(c.ctx, q); err != nil {
		return err
	}
	view.Pager = page.Pager{Frame: view.Frame, Paging: q.Paging, Total: view.List.Total}
	return s.page(c, page.Uploads, view)
}

// uploadPage is where upload_url of a 202 points to: a page for browsers, JSON
// for everybody else.
func (s *site) uploadPage(c *call) error {
	if !wantsPage(c.r) {
		return s.upload(c)
	}
	id := c.r.PathValue("id")
	view := page.UploadView{Frame: s.frame(c, "Upload", "uploads"), ID: id}
	upload, err := s.store.Upload(c.ctx, c.key, id)
	if errors.Is(err, query.ErrNotFound) && uploadIDs.MatchString(id) {
		view.Pending = true
		return s.page(c, page.Upload, view)
	}
	if err != nil {
		return err
	}
	view.Upload = upload
	for _, text := range slices.Sorted(maps.Keys(upload.ProblemCounts)) {
		view.Counts = append(view.Counts, page.ProblemCount{Problem: text, Count: upload.ProblemCounts[text]})
	}
	slices.SortStableFunc(view.Counts, func(a, b page.ProblemCount) int { return b.Count - a.Count })
	return s.page(c, page.Upload, view)
}
