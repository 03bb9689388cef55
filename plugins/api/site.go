package api

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/api/page"
	"github.com/connect-testengine/connect-testengine/plugins/api/query"
)

// site answers requests from a store.
type site struct {
	config   config
	store    query.Store
	door     listener
	renderer *page.Renderer
	metrics  metrics
	log      *service.Logger
	now      func() time.Time

	slots   chan struct{} // one place for each question to the store
	streams chan struct{} // one place for each reader that follows
	closed  chan struct{}
	once    sync.Once
	facts   factsCache
}

func newSite(c config, store query.Store, door listener, m metrics, log *service.Logger) (*site, error) {
	renderer, err := page.NewRenderer()
	if err != nil {
		return nil, err
	}
	return &site{
		config: c, store: store, door: door, renderer: renderer, metrics: m, log: log, now: time.Now,
		slots: make(chan struct{}, c.maxQueries), streams: make(chan struct{}, c.maxStreams), closed: make(chan struct{}),
	}, nil
}

func (s *site) close() { s.once.Do(func() { close(s.closed) }) }

// The first segments of the paths.
const (
	suitePage = "/{org}/suites/{suite}"
	orgData   = "/v2/analytics/organizations/{org}"
	suiteData = orgData + "/suites/{suite}"
)

// route is a row of the table of everything that is served.
type route struct {
	pattern string
	// name is the label in metrics.
	name string
	// html says that errors are told as a page.
	html   bool
	answer func(*site, *call) error
}

var routes = []route{
	{"GET /{$}", "page", true, (*site).rootPage},
	{"GET " + suitePage, "page", true, (*site).suitePage},
	{"GET " + suitePage + "/flaky", "page", true, (*site).flakyPage},
	{"GET " + suitePage + "/tests", "page", true, (*site).testsPage},
	{"GET " + suitePage + "/tests/{id}", "page", true, (*site).testPage},
	{"GET " + suitePage + "/runs", "page", true, (*site).runsPage},
	{"GET " + suitePage + "/runs/{id}", "page", true, (*site).runPage},
	{"GET " + suitePage + "/uploads", "page", true, (*site).uploadsPage},
	{"GET " + suitePage + "/uploads/{id}", "page", true, (*site).uploadPage},
	{"GET " + suitePage + "/upload-health", "page", true, (*site).uploadHealthPage},
	{"GET " + suitePage + "/slices", "page", true, (*site).slicesPage},
	{"GET " + suitePage + "/{rest...}", "page", true, (*site).noPage},
	{"GET /login", "page", true, (*site).loginPage},
	{"POST /login", "page", true, (*site).login},
	{"POST /logout", "page", true, (*site).logout},
	{"GET /assets/{name}", "asset", false, (*site).asset},

	{"GET " + orgData + "/suites", "data", false, only((*site).suites, pageParameters...)},
	{"GET " + suiteData, "data", false, (*site).suite},
	{"GET " + suiteData + "/tests", "data", false, only((*site).tests, testParameters...)},
	{"GET " + suiteData + "/tests/{id}", "data", false, only((*site).test, periodParameters...)},
	{"GET " + suiteData + "/flaky-tests", "data", false, only((*site).flakyTests, testParameters...)},
	{"GET " + suiteData + "/runs", "data", false, only((*site).runs, runParameters...)},
	{"GET " + suiteData + "/runs/{id}", "data", false, (*site).run},
	{"GET " + suiteData + "/runs/{id}/failed_executions", "data", false, only((*site).failedExecutions, failureParameters...)},
	{"GET " + suiteData + "/uploads", "data", false, only((*site).uploads, uploadParameters...)},
	{"GET " + suiteData + "/uploads/{id}", "data", false, (*site).upload},
	{"GET " + suiteData + "/upload-health", "data", false, only((*site).uploadHealth, "max_timestamp")},
	{"GET " + suiteData + "/slices", "slice", false, only((*site).slices, sliceParameters...)},
	{"GET " + orgData + "/slices", "slice", false, only((*site).slices, sliceParameters...)},
	{"GET " + suiteData + "/tags", "data", false, only((*site).tagKeys, periodParameters...)},
	{"GET " + suiteData + "/tags/{key}", "data", false, only((*site).tagValues, "limit", "prefix")},
	{"GET " + suiteData + "/verdicts", "data", false, only((*site).verdicts, "after", "limit", "test_id")},
	{"GET " + suiteData + "/verdicts/stream", "stream", false, only((*site).verdictStream, "after")},
}

// mount puts the routes on the listener. They go through a mux of our own, so
// that path values do not depend on how the listener matches.
func (s *site) mount() error {
	handler := s.handler()
	for _, r := range routes {
		for _, pattern := range r.patterns() {
			if err := s.door.Handle(pattern, handler); err != nil {
				return err
			}
		}
	}
	return nil
}

// patterns are the route's own and, as a hand types it, with a slash at its end.
func (r route) patterns() []string {
	if strings.HasSuffix(r.pattern, "/{$}") || strings.HasSuffix(r.pattern, "...}") {
		return []string{r.pattern}
	}
	return []string{r.pattern, r.pattern + "/{$}"}
}

func (s *site) handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range routes {
		for _, pattern := range r.patterns() {
			mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) { s.serve(w, req, r) })
		}
	}
	return mux
}
