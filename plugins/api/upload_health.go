package api

import (
	"net/http"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/api/page"
	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// topProblems is how many groups of problems are shown, as many as Buildkite shows.
const topProblems = 50

type uploadHealthJSON struct {
	From         testengine.Time `json:"from"`
	To           testengine.Time `json:"to"`
	LastUploadAt testengine.Time `json:"last_upload_at"`
	WebURL       string          `json:"web_url"`
	tallyJSON
	PerUpload  *perUploadJSON  `json:"executions_per_upload"`
	Hours      []hourJSON      `json:"hours"`
	Kinds      int             `json:"problems_count"`
	Problems   []problemJSON   `json:"problems"`
	Collectors []collectorJSON `json:"collectors"`
}

type tallyJSON struct {
	Uploads       int   `json:"uploads_count"`
	Duplicates    int   `json:"duplicates_count"`
	WithProblems  int   `json:"uploads_with_problems_count"`
	Empty         int   `json:"uploads_without_executions_count"`
	Received      int64 `json:"received"`
	Accepted      int64 `json:"accepted"`
	Rejected      int64 `json:"rejected"`
	WithoutResult int64 `json:"without_result"`
	SuiteErrors   int64 `json:"suite_errors"`
	Bytes         int64 `json:"bytes"`
}

type hourJSON struct {
	At testengine.Time `json:"at"`
	tallyJSON
}

type perUploadJSON struct {
	P50 int `json:"p50"`
	P90 int `json:"p90"`
	Max int `json:"max"`
}

type problemJSON struct {
	Field   string          `json:"field"`
	Reason  string          `json:"reason"`
	Count   int             `json:"count"`
	Uploads int             `json:"uploads_count"`
	LastAt  testengine.Time `json:"last_at"`
	Example exampleJSON     `json:"example"`
}

// exampleJSON is one record with a problem; its index is -1 when the upload itself has it.
type exampleJSON struct {
	UploadID string `json:"upload_id"`
	URL      string `json:"url"`
	WebURL   string `json:"web_url"`
	Index    int    `json:"index"`
	Snippet  string `json:"snippet"`
}

type collectorJSON struct {
	Name    string          `json:"name"`
	Version string          `json:"version"`
	Uploads int             `json:"uploads_count"`
	LastAt  testengine.Time `json:"last_upload_at"`
}

// healthQuery asks about the 24 hours of UTC that end with the one that
// max_timestamp lies in, or with the current one. There the end is open: a
// record's log time may be ahead of this clock.
func (s *site) healthQuery(c *call) (q query.UploadHealthQuery, err error) {
	span, err := query.ParseRange("", "", c.r.URL.Query().Get("max_timestamp"), defaultPeriod, s.now())
	if err != nil {
		return q, err
	}
	q = query.UploadHealthQuery{SuiteKey: c.key, Problems: topProblems}
	end := s.now().UTC().Truncate(time.Hour).Add(time.Hour)
	if span.Max != 0 {
		last := time.UnixMilli(span.Max - 1).UTC().Truncate(time.Hour).Add(time.Hour)
		if last.Before(end) {
			end, q.Range.Max = last, last.UnixMilli()
		}
	}
	q.Range.Min = end.Add(-page.HealthHours * time.Hour).UnixMilli()
	return q, nil
}

func healthEnd(q query.UploadHealthQuery) int64 {
	return q.Range.Min + (page.HealthHours * time.Hour).Milliseconds()
}

func (s *site) uploadHealth(c *call) error {
	q, err := s.healthQuery(c)
	if err != nil {
		return err
	}
	h, err := s.store.UploadHealth(c.ctx, q)
	if err != nil {
		return err
	}
	j := uploadHealthJSON{
		From: testengine.Time(q.Range.Min), To: testengine.Time(healthEnd(q)), LastUploadAt: testengine.Time(h.LastUploadAt),
		WebURL: s.door.BaseURL() + page.SuitePath(c.key, "upload-health"), tallyJSON: tallyToJSON(&h.Total),
		Kinds: h.ProblemKinds, Problems: []problemJSON{}, Collectors: []collectorJSON{},
	}
	if p := h.PerUpload; p.Known {
		j.PerUpload = &perUploadJSON{P50: p.P50, P90: p.P90, Max: p.Max}
	}
	hours := page.AllHours(h.Hours, q.Range.Min)
	for i := range hours {
		j.Hours = append(j.Hours, hourJSON{At: testengine.Time(hours[i].At), tallyJSON: tallyToJSON(&hours[i].UploadTally)})
	}
	for i := range h.Problems {
		j.Problems = append(j.Problems, s.problemToJSON(c.key, &h.Problems[i]))
	}
	for _, used := range h.Collectors {
		j.Collectors = append(j.Collectors, collectorJSON{Name: used.Name, Version: used.Version, Uploads: used.Uploads, LastAt: testengine.Time(used.LastAt)})
	}
	return c.json(http.StatusOK, j)
}

func tallyToJSON(t *query.UploadTally) tallyJSON {
	return tallyJSON{
		Uploads: t.Uploads, Duplicates: t.Duplicates, WithProblems: t.WithProblems, Empty: t.Empty, Received: t.Received, Accepted: t.Accepted,
		Rejected: t.Rejected, WithoutResult: t.WithoutResult, SuiteErrors: t.SuiteErrors, Bytes: t.Bytes,
	}
}

func (s *site) problemToJSON(key query.SuiteKey, g *query.ProblemGroup) problemJSON {
	base := s.door.BaseURL()
	return problemJSON{
		Field: g.Field, Reason: g.Reason, Count: g.Count, Uploads: g.Uploads, LastAt: testengine.Time(g.LastAt),
		Example: exampleJSON{
			UploadID: g.ExampleUpload, URL: base + page.APIPath(key, "uploads", g.ExampleUpload), WebURL: base + page.SuitePath(key, "uploads", g.ExampleUpload),
			Index: g.Example.Index, Snippet: g.Example.Snippet,
		},
	}
}

func (s *site) uploadHealthPage(c *call) error {
	view := page.UploadHealthView{Frame: s.frame(c, "Uploads", "uploads")}
	q, err := s.healthQuery(c)
	if err != nil {
		return err
	}
	if view.Facts, err = s.suiteFacts(c); err != nil {
		return err
	}
	if view.Health, err = s.store.UploadHealth(c.ctx, q); err != nil {
		return err
	}
	view.Hello = s.hello(view.Facts)
	view.Kinds = uploadKinds(&view.Frame, "health")
	view.From, view.To = q.Range.Min, healthEnd(q)
	view.Hours = page.AllHours(view.Health.Hours, view.From)
	view.Charts = page.HourCharts(view.Hours)
	day := (24 * time.Hour).Milliseconds()
	ending := func(at int64) string { return time.UnixMilli(at).UTC().Format(time.RFC3339) }
	view.Earlier = view.With("max_timestamp", ending(view.To-day))
	if q.Range.Max != 0 {
		view.Later = view.With("max_timestamp", ending(view.To+day))
	}
	return s.page(c, page.UploadHealth, view)
}

// uploadKinds leads between the lists of uploads and their health.
func uploadKinds(f *page.Frame, current string) []page.Choice {
	uploads := f.Link("uploads")
	return []page.Choice{
		{Label: "All", Current: current == "", Href: uploads},
		{Label: "With problems", Current: current == "problems", Href: uploads + "?problems=true"},
		{Label: "Health", Current: current == "health", Href: f.Link("upload-health")},
	}
}
