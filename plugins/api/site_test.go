package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/api/querytest"
	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const (
	suitePath = "/local/suites/quickstart"
	dataPath  = "/v2/analytics/organizations/local/suites/quickstart"
	tokenRead = "te_reader"
)

// door stands for the listener.
type door struct {
	base     string
	loopback bool
	table    *tenant.Table
}

func (*door) Handle(string, http.Handler) error { return nil }

func (d *door) BaseURL() string { return d.base }

func (d *door) Loopback() bool { return d.loopback }

func (d *door) Directory() tenant.Directory {
	if d.table == nil {
		return nil
	}
	return directory{d.table}
}

type directory struct{ *tenant.Table }

func (d directory) Lookup(token string) (tenant.Tenant, error) { return d.Table.Lookup(token, noon) }

// bench is a site over a store, and what a reader gets of it.
type bench struct {
	t     *testing.T
	store *querytest.Store
	door  *door
	site  *site
}

func newBench(t *testing.T, store *querytest.Store) *bench {
	t.Helper()
	table, err := tenant.NewTable([]tenant.Suite{
		{Organization: "local", Name: "quickstart", DefaultBranch: "main", Tokens: []tenant.Token{
			{Name: "reader", Hash: tenant.HashToken(tokenRead), Scopes: []string{tenant.ScopeRead}},
			{Name: "ci", Hash: tenant.HashToken("te_writer"), Scopes: []string{tenant.ScopeWrite}},
			{Name: "old", Hash: tenant.HashToken("te_old"), Scopes: []string{tenant.ScopeRead}, Expires: noon},
		}},
		{Organization: "local", Name: "other", Tokens: []tenant.Token{{Name: "reader", Hash: tenant.HashToken("te_other"), Scopes: []string{tenant.ScopeRead}}}},
		{Organization: "local", Name: "open", Public: true},
	})
	require.NoError(t, err)
	d := &door{base: "http://127.0.0.1:8420", loopback: true, table: table}
	s, err := newSite(config{
		requireToken: tokenAuto, pageTitle: "Test Engine", queryTimeout: 5 * time.Second, maxQueries: 4, maxRows: 1000, maxHistory: 500,
		maxStreams: 2, streamInterval: time.Millisecond,
	}, store, d, metrics{}, nil)
	require.NoError(t, err)
	s.now = func() time.Time { return noon }
	t.Cleanup(s.close)
	return &bench{t: t, store: store, door: d, site: s}
}

// get asks for a path; headers are pairs of name and value.
func (b *bench) get(path string, headers ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.send(http.MethodGet, path, "", headers...)
}

func (b *bench) send(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), method, "http://127.0.0.1:8420"+path, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	w := httptest.NewRecorder()
	b.site.handler().ServeHTTP(w, r)
	return w
}

// decode reads a JSON answer with status 200.
func decode[T any](b *bench, path string) (value T) {
	b.t.Helper()
	w := b.get(path)
	require.Equal(b.t, http.StatusOK, w.Code, w.Body.String())
	require.NoError(b.t, json.Unmarshal(w.Body.Bytes(), &value))
	return value
}

func message(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var refusal struct{ Message string }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &refusal), w.Body.String())
	return refusal.Message
}

func demo() *querytest.Store { return querytest.Demo(noon, 7) }

func flakyID() string {
	return testengine.FormatID(testengine.TestID(testengine.SuiteSeed("local", "quickstart"), "Checkout payment", "retries a declined card once"))
}

// slow is a store that answers nothing in time.
type slow struct{ *querytest.Store }

func (slow) Slice(ctx context.Context, _ query.Slice) (query.Table, error) {
	<-ctx.Done()
	return query.Table{}, ctx.Err()
}
