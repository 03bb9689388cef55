package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
)

// call is one request on its way.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	ctx   context.Context //nolint:containedctx // it lives as long as the request
	route route
	key   query.SuiteKey
	// who is the reader's tenant, nil when no token was needed.
	who   *tenant.Tenant
	start time.Time
}

// problem is an error with its status and a sentence for the reader.
type problem struct {
	status  int
	message string
}

func (p *problem) Error() string { return p.message }

// serve runs one request: headers, limits, access, answer, error.
func (s *site) serve(w http.ResponseWriter, r *http.Request, route route) {
	recorder := &statusRecorder{ResponseWriter: w}
	c := &call{w: recorder, r: r, route: route, start: s.now(), key: query.SuiteKey{Org: r.PathValue("org"), Suite: r.PathValue("suite")}}
	setHeaders(recorder.Header())
	ctx, cancel := context.WithTimeout(r.Context(), s.config.queryTimeout)
	defer cancel()
	c.ctx = ctx
	if route.name == "stream" {
		c.ctx = r.Context()
	}
	if err := s.answer(c); err != nil {
		s.tell(c, err)
	}
	s.metrics.requests.Incr(1, route.name, strconv.Itoa(recorder.status/100)+"xx")
	if route.name != "stream" {
		s.metrics.latency.Timing(s.now().Sub(c.start).Nanoseconds())
	}
}

func (s *site) answer(c *call) error {
	select {
	case <-s.closed:
		return &problem{http.StatusServiceUnavailable, "the server is shutting down"}
	default:
	}
	if err := http.NewCrossOriginProtection().Check(c.r); err != nil {
		return &problem{http.StatusForbidden, "this form was sent from another site"}
	}
	if err := s.admit(c); err != nil {
		return err
	}
	if c.route.name != "stream" && c.route.name != "asset" {
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
	if err := s.known(c); err != nil {
		return err
	}
	return c.route.answer(s, c)
}

// policy allows nothing inline and nothing from elsewhere.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// describe turns an error into what the reader is told.
func describe(c *call, err error) *problem {
	var known *problem
	var field *query.FieldError
	var filter *query.FilterError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &field), errors.As(err, &filter):
		return &problem{http.StatusBadRequest, err.Error()}
	case errors.Is(err, query.ErrNotFound):
		return &problem{http.StatusNotFound, "there is nothing at " + c.r.URL.Path + " (any more)"}
	case errors.Is(err, query.ErrNotReady):
		return &problem{http.StatusServiceUnavailable, "the store is still opening; come back in a moment"}
	case errors.Is(err, context.DeadlineExceeded):
		return &problem{http.StatusServiceUnavailable, "the question took too long; narrow the period or the filter, or raise " + afQueryTimeout}
	case errors.Is(err, tenant.ErrScope):
		return &problem{http.StatusForbidden, err.Error()}
	case errors.Is(err, tenant.ErrNoToken), errors.Is(err, tenant.ErrNoSuite), errors.Is(err, tenant.ErrExpired):
		return &problem{http.StatusUnauthorized, err.Error()}
	default:
		return &problem{http.StatusInternalServerError, "the store could not answer; the server's log says why"}
	}
}

// tell answers an error as a page or as JSON.
func (s *site) tell(c *call, err error) {
	if c.r.Context().Err() != nil {
		return // nobody listens any more
	}
	p := describe(c, err)
	if p.status == http.StatusInternalServerError {
		s.log.With("path", c.r.URL.Path, "error", err.Error()).Error("answering a reader")
	}
	h := c.w.Header()
	h.Del("Link")
	h.Set("Cache-Control", "no-store")
	switch p.status {
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="test engine"`)
	}
	if c.route.html && wantsPage(c.r) {
		if p.status == http.StatusUnauthorized && !fragment(c.r) {
			http.Redirect(c.w, c.r, "/login?next="+url.QueryEscape(c.r.URL.RequestURI()), http.StatusSeeOther)
			return
		}
		s.problemPage(c, p)
		return
	}
	_ = c.json(p.status, map[string]string{"message": p.message})
}

// wantsPage reports whether the reader is a browser: only browsers name
// text/html; curl and libraries send */* or application/json.
func wantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html") && !strings.HasPrefix(r.Header.Get("Accept"), "application/json")
}

// statusRecorder remembers the status for the metrics.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (w *statusRecorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusRecorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// serverTiming says in the answer how long it took.
func (s *site) serverTiming(c *call) {
	milli := float64(s.now().Sub(c.start).Microseconds()) / 1000
	c.w.Header().Set("Server-Timing", fmt.Sprintf("app;dur=%.1f", milli))
}
