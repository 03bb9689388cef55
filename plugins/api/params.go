package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
)

const (
	defaultPerPage = 30
	maxPerPage     = 100
	defaultPeriod  = "7days"
)

// The parameters of several routes.
var (
	pageParameters   = []string{"page", "per_page"}
	periodParameters = []string{"max_timestamp", "min_timestamp", "period"}
	testParameters   = slices.Concat(pageParameters, periodParameters,
		[]string{"branch", "order", "owner", "owners", "search", "sort_by", "state", "tags"})
	runParameters     = slices.Concat(pageParameters, periodParameters, []string{"branch", "build_id", "result"})
	failureParameters = slices.Concat(pageParameters, []string{"include_failure_expanded"})
	uploadParameters  = slices.Concat(pageParameters, periodParameters, []string{"problems", "run_id"})
	sliceParameters   = slices.Concat(periodParameters, []string{"by", "filter", "format", "limit", "measure"})
)

// only answers questions with these parameters alone: a misspelt one would be
// answered with something else.
func only(answer func(*site, *call) error, parameters ...string) func(*site, *call) error {
	known := strings.Join(slices.Sorted(slices.Values(parameters)), ", ")
	return func(s *site, c *call) error {
		for name := range c.r.URL.Query() {
			if !slices.Contains(parameters, name) {
				return &query.FieldError{Field: name, Reason: "there is no such parameter; there are " + known}
			}
		}
		return answer(s, c)
	}
}

// paging reads page and per_page.
func (c *call) paging() (query.Paging, error) {
	number, err := c.number("page", 1, 1_000_000)
	if err != nil {
		return query.Paging{}, err
	}
	size, err := c.number("per_page", defaultPerPage, maxPerPage)
	return query.Paging{Number: number, Size: size}, err
}

func (c *call) number(name string, fallback, most int) (int, error) {
	text := c.r.URL.Query().Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, &query.FieldError{Field: name, Reason: fmt.Sprintf("%q is no number from 1 to %d", text, most)}
	}
	return n, nil
}

// truth is false where nothing is written.
func (c *call) truth(name string) (bool, error) {
	switch c.r.URL.Query().Get(name) {
	case "true":
		return true, nil
	case "", "false":
		return false, nil
	}
	return false, &query.FieldError{Field: name, Reason: "write true or false"}
}

// within reads period, min_timestamp and max_timestamp.
func (s *site) within(c *call, fallback string) (query.Range, error) {
	values := c.r.URL.Query()
	return query.ParseRange(values.Get("period"), values.Get("min_timestamp"), values.Get("max_timestamp"), fallback, s.now())
}

// withinIfAsked is within, or all of the time where no bound of it is given.
func (s *site) withinIfAsked(c *call) (query.Range, error) {
	values := c.r.URL.Query()
	if !slices.ContainsFunc(periodParameters, func(name string) bool { return values.Get(name) != "" }) {
		return query.Range{}, nil
	}
	return s.within(c, defaultPeriod)
}

// list reads a parameter that may be repeated or hold a comma list.
func list(values url.Values, name string) string {
	kept := slices.DeleteFunc(slices.Clone(values[name]), func(v string) bool { return strings.TrimSpace(v) == "" })
	return strings.Join(kept, ",")
}

// linkHeader names the neighbours of a page of a list, as GitHub and Buildkite do.
func (s *site) linkHeader(c *call, p query.Paging, total int) {
	last := max(1, (total+p.Size-1)/p.Size)
	var links []string
	add := func(rel string, number int) {
		values := c.r.URL.Query()
		values.Set("page", strconv.Itoa(number))
		links = append(links, fmt.Sprintf("<%s%s?%s>; rel=%q", s.door.BaseURL(), c.r.URL.EscapedPath(), values.Encode(), rel))
	}
	if p.Number > 1 {
		add("first", 1)
		add("prev", min(p.Number-1, last))
	}
	if p.Number < last {
		add("next", p.Number+1)
		add("last", last)
	}
	if len(links) > 0 {
		c.w.Header().Set("Link", strings.Join(links, ", "))
	}
	c.w.Header().Set("X-Total-Count", strconv.Itoa(total))
}

// states reads a list of test states. Buildkite's own states are understood:
// nothing is muted or skipped yet, so everything is enabled.
func states(text string) (kept []query.State, none bool, err error) {
	if text == "" {
		return nil, false, nil
	}
	for word := range strings.SplitSeq(text, ",") {
		state := query.State(strings.TrimSpace(word))
		switch {
		case slices.Contains(query.States, state):
			kept = append(kept, state)
		case state == "enabled":
			return nil, false, nil
		case state == "muted" || state == "skipped":
			none = true
		default:
			return nil, false, &query.FieldError{Field: "state", Reason: fmt.Sprintf("%q is no state; there are flaky, broken, suspected, stale, healthy, enabled, muted, skipped", word)}
		}
	}
	return kept, none && len(kept) == 0, nil
}

var testOrders = map[string]query.TestOrder{
	"": query.OrderDurationAvg, "badness": query.OrderBadness, "name": query.OrderName, "last_failure": query.OrderLastFailure,
	"reliability": query.OrderReliability, "duration_avg": query.OrderDurationAvg, "duration_sum": query.OrderDurationSum,
	"duration_min": query.OrderDurationMin, "duration_max": query.OrderDurationMax, "executions": query.OrderExecutions,
}

// testQuery reads the parameters of a list of tests.
func (s *site) testQuery(c *call, fallback query.TestOrder) (q query.TestQuery, none bool, err error) {
	values := c.r.URL.Query()
	q = query.TestQuery{SuiteKey: c.key, Owner: values.Get("owner"), Search: values.Get("search")}
	if q.Owner == "" {
		q.Owner = values.Get("owners")
	}
	if q.Paging, err = c.paging(); err != nil {
		return q, false, err
	}
	if q.Range, err = s.within(c, defaultPeriod); err != nil {
		return q, false, err
	}
	if q.States, none, err = states(list(values, "state")); err != nil {
		return q, none, err
	}
	if q.Filter, err = query.ParseFilter("tags", list(values, "tags")); err != nil {
		return q, none, err
	}
	if branch := values.Get("branch"); branch != "" {
		q.Filter = append(q.Filter, query.Term{Key: query.KeyBranch, Value: branch})
	}
	order, ok := testOrders[values.Get("sort_by")]
	if !ok {
		return q, none, &query.FieldError{Field: "sort_by", Reason: fmt.Sprintf("%q is no order", values.Get("sort_by"))}
	}
	q.Order = order
	if values.Get("sort_by") == "" {
		q.Order = fallback
	}
	switch values.Get("order") {
	case "", "desc":
	case "asc":
		q.Ascending = true
	default:
		return q, none, &query.FieldError{Field: "order", Reason: "write asc or desc"}
	}
	return q, none, nil
}

// sliceQuery reads the parameters of a slice.
func (s *site) sliceQuery(c *call) (q query.Slice, err error) {
	values := c.r.URL.Query()
	q.SuiteKey = c.key
	measures := list(values, "measure")
	if measures == "" {
		return q, &query.FieldError{Field: "measure", Reason: "it is missing; write for example measure=p50_duration"}
	}
	if q.Measures, err = query.ParseMeasures(measures); err != nil {
		return q, err
	}
	if q.By, err = query.ParseBy(list(values, "by")); err != nil {
		return q, err
	}
	if q.Filter, err = query.ParseFilter("filter", list(values, "filter")); err != nil {
		return q, err
	}
	if q.Range, err = s.within(c, defaultPeriod); err != nil {
		return q, err
	}
	q.Limit, err = c.number("limit", s.config.maxRows, s.config.maxRows)
	return q, err
}

// fragment reports whether only the changing part of a page is wanted.
func fragment(r *http.Request) bool { return r.Header.Get("X-Fragment") == "live" }
