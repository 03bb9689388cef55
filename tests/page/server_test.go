// Package page looks at the web page with a real browser: what a person sees
// and does, over a store in memory with two weeks of a small team's CI.
package page

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure" // the output drop
	"github.com/redpanda-data/benthos/v4/public/service"

	_ "github.com/connect-testengine/connect-testengine/plugins/api"
	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/api/querytest"
	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
)

// listener stands for an http_listener: a mux on a free port.
type listener struct {
	mu       sync.Mutex
	mux      *http.ServeMux
	server   *http.Server
	base     string
	loopback bool
	table    *tenant.Table
}

func (l *listener) Handle(pattern string, handler http.Handler) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mux.Handle(pattern, handler)
	return nil
}

// mounted reports whether the last of the routes is there.
func (l *listener) mounted(ctx context.Context) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.base+"/v2/analytics/organizations/o/suites/s/verdicts/stream", http.NoBody)
	if err != nil {
		return false
	}
	_, pattern := l.mux.Handler(r)
	return pattern != ""
}

func (l *listener) BaseURL() string { return l.base }

func (l *listener) Loopback() bool { return l.loopback }

func (l *listener) Directory() tenant.Directory { return directory{l.table} }

func (l *listener) Close(context.Context) error { return l.server.Close() }

type directory struct{ *tenant.Table }

func (d directory) Lookup(token string) (tenant.Tenant, error) {
	return d.Table.Lookup(token, time.Now())
}

func newListener(address string) (*listener, error) {
	bound, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	table, err := tenant.NewTable([]tenant.Suite{
		{Organization: "local", Name: "quickstart", DefaultBranch: "main", Tokens: []tenant.Token{{Name: "reader", Hash: tenant.HashToken("te_reader"), Scopes: []string{tenant.ScopeRead}}}},
		{Organization: "local", Name: "empty", DefaultBranch: "main"},
	})
	if err != nil {
		return nil, err
	}
	l := &listener{mux: http.NewServeMux(), base: "http://" + bound.Addr().String(), loopback: true, table: table}
	l.server = &http.Server{Handler: l.mux, ReadHeaderTimeout: time.Second}
	go func() { _ = l.server.Serve(bound) }()
	return l, nil
}

var resources struct {
	sync.Mutex
	listeners map[string]*listener
	stores    map[string]query.Store
}

func init() {
	resources.listeners = map[string]*listener{}
	resources.stores = map[string]query.Store{}
	spec := func() *service.ConfigSpec { return service.NewConfigSpec().Field(service.NewStringField("name")) }
	register := func(kind string, find func(name string) any) {
		err := service.GlobalEnvironment().RegisterCustomResource(kind, spec(), func(conf *service.ParsedConfig, _ *service.Resources) (any, error) {
			name, err := conf.FieldString("name")
			if err != nil {
				return nil, err
			}
			resources.Lock()
			defer resources.Unlock()
			return find(name), nil
		})
		if err != nil {
			panic(err)
		}
	}
	register("http_listener", func(name string) any { return resources.listeners[name] })
	register("memory_store", func(name string) any { return resources.stores[name] })
}

// serve runs testengine_api over a store; fields are further lines of its configuration.
func serve(t *testing.T, address string, store query.Store, fields string) *listener {
	t.Helper()
	l, err := newListener(address)
	require.NoError(t, err)
	resources.Lock()
	resources.listeners[t.Name()], resources.stores[t.Name()] = l, store
	resources.Unlock()

	builder := service.NewStreamBuilder()
	builder.SetSchema(service.GlobalEnvironment().FullConfigSchema("", ""))
	require.NoError(t, builder.SetYAML(fmt.Sprintf(`
http_listener:
  - label: listener
    name: %q
memory_store:
  - label: database
    name: %q
input:
  testengine_api:
    store_type: memory_store
%s
output:
  drop: {}
logger:
  level: WARN
`, t.Name(), t.Name(), fields)))
	stream, err := builder.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(context.Background()) }()
	t.Cleanup(func() {
		require.NoError(t, stream.StopWithin(10*time.Second))
		require.NoError(t, <-ended)
		_ = l.Close(context.Background())
	})
	require.Eventually(t, func() bool { return l.mounted(t.Context()) }, 10*time.Second, 5*time.Millisecond)
	return l
}

// demo is the store most tests look at.
func demo(t *testing.T) *querytest.Store {
	t.Helper()
	return querytest.Demo(time.Now(), 7)
}
