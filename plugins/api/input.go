// Package api is the input testengine_api: it serves the web page and the JSON
// paths beside it from a store, on the port of an http_listener. Readers can
// change nothing here, so as an input it yields nothing and only keeps the stream
// alive.
//
// Metrics, as one greps for them:
//
//	testengine_requests_total{route,status}  answers by kind of route and status class
//	testengine_request_latency_ns            time to answer, streams not counted
//	testengine_request_streams               readers that follow verdicts now
package api

import (
	"context"
	"net/http"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
)

const (
	inputType = "testengine_api"

	afListener       = "listener"
	afStore          = "store"
	afStoreType      = "store_type"
	afRequireToken   = "require_token"
	afPageTitle      = "page_title"
	afQueryTimeout   = "query_timeout"
	afMaxQueries     = "max_queries"
	afMaxRows        = "max_rows"
	afMaxStreams     = "max_streams"
	afMaxExecutions  = "max_history"
	afStreamInterval = "stream_interval"

	tokenAuto   = "auto"
	tokenAlways = "always"
	tokenNever  = "never"
)

func init() {
	service.MustRegisterBatchInput(inputType, inputSpec(), newInputFromParsed)
}

func inputSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Services", "Network").
		Summary("Serves the web page and the JSON paths over a store of test executions.").
		Description(`Pages stand under `+"`/{org}/suites/{suite}/`"+`: flaky tests with their evidence, tests, runs, uploads with their problems, slices. The same facts as JSON stand under `+"`/v2/analytics/organizations/{org}/suites/{suite}/`"+` in the shapes of Buildkite's REST API; beside them `+"`slices`"+` (measures by up to three tags, as JSON or CSV) and `+"`verdicts`"+` (events in log order, as a list or as a stream of server-sent events).

Reading needs a token with the scope `+"`read`"+` unless the listener is bound to this machine alone and no proxy stands in front of it. The input yields no messages yet.

Metrics: `+"`testengine_requests_total{route,status}`"+` (routes page, asset, data, slice, stream; status by its first digit, as 2xx), `+"`testengine_request_latency_ns`"+`, and `+"`testengine_request_streams`"+`, readers that follow verdicts now.`).
		Fields(
			service.NewStringField(afListener).
				Description("The label of the `http_listener` resource on whose port the routes are mounted.").
				Default("listener"),
			service.NewStringField(afStore).
				Description("The label of the store's resource, a `duckdb_database`.").
				Default("database"),
			service.NewStringField(afStoreType).
				Description("The type of the store's resource.").
				Default("duckdb_database").Advanced(),
			service.NewStringEnumField(afRequireToken, tokenAuto, tokenAlways, tokenNever).
				Description("Whether readers need a token. `auto` asks for one unless the listener is bound to loopback, its `base_url` is loopback too, and the request came without a proxy. Suites marked public are open to everybody.").
				Default(tokenAuto),
			service.NewStringField(afPageTitle).
				Description("What the page is called in its head and in browser tabs.").
				Default("Test Engine"),
			fields.NewDuration(afQueryTimeout).
				Description("How long a question to the store may take, its wait for a free place included, before it is answered 503.").
				Default("10s").Advanced(),
			fields.NewNumber(afMaxQueries, 1, fields.Endless).
				Description("Questions to the store at a time. Further ones wait.").
				Default(8).Advanced(),
			fields.NewNumber(afMaxRows, 1, mostRows).
				Description("Rows of a slice. The answer says when there were more.").
				Default(1000).Advanced(),
			fields.NewNumber(afMaxExecutions, 1, mostRows).
				Description("Executions of a test that its page shows as history.").
				Default(500).Advanced(),
			fields.NewNumber(afMaxStreams, 0, fields.Endless).
				Description("Readers that may follow verdicts at a time. Further ones are answered 503; their pages work without updating themselves.").
				Default(256).Advanced(),
			fields.NewDuration(afStreamInterval).
				Description("The shortest time between two looks at the store for a reader that follows verdicts.").
				Default("250ms").Advanced(),
		).
		Example("One port", "The page stands on the port of the front door.", `
http_listener:
  - label: listener
    address: 127.0.0.1:8420

duckdb_database:
  - label: database
    path: ./data/analytics.duckdb

input:
  testengine_api:
    listener: listener
    store: database
`)
}

// config is the parsed configuration.
type config struct {
	listener       string
	store          string
	storeType      string
	requireToken   string
	pageTitle      string
	queryTimeout   time.Duration
	maxQueries     int
	maxRows        int
	maxHistory     int
	maxStreams     int
	streamInterval time.Duration
}

// mostRows bounds what an answer holds in memory.
const mostRows = 10_000_000

func configFromParsed(conf *service.ParsedConfig) (c config, err error) {
	p := fields.Into(&err, conf)
	c = config{
		listener: p.Text(afListener), store: p.Text(afStore), storeType: p.Text(afStoreType),
		requireToken: p.Text(afRequireToken), pageTitle: p.Text(afPageTitle),
		queryTimeout: p.Period(afQueryTimeout), streamInterval: p.Period(afStreamInterval),
		maxQueries: p.NumberWithin(1, fields.Endless, afMaxQueries), maxRows: p.NumberWithin(1, mostRows, afMaxRows),
		maxHistory: p.NumberWithin(1, mostRows, afMaxExecutions), maxStreams: p.NumberWithin(0, fields.Endless, afMaxStreams),
	}
	return c, err
}

// listener is what is needed of an http_listener.
type listener interface {
	Handle(pattern string, handler http.Handler) error
	BaseURL() string
	Loopback() bool
	Directory() tenant.Directory
}

type input struct {
	site *site
}

func newInputFromParsed(conf *service.ParsedConfig, res *service.Resources) (service.BatchInput, error) {
	c, err := configFromParsed(conf)
	if err != nil {
		return nil, err
	}
	door, err := fields.Resource[listener](context.Background(), res, "http_listener", c.listener)
	if err != nil {
		return nil, err
	}
	store, err := fields.Resource[query.Store](context.Background(), res, c.storeType, c.store)
	if err != nil {
		return nil, err
	}
	s, err := newSite(c, store, door, metricsFrom(res), res.Logger())
	if err != nil {
		return nil, err
	}
	// Mounting may bind the address: a reason not to start, so not left to Connect.
	if err := s.mount(); err != nil {
		return nil, err
	}
	return &input{site: s}, nil
}

// Connect has nothing to do: the routes are mounted.
func (*input) Connect(context.Context) error { return nil }

// ReadBatch waits: nobody can change anything yet.
func (i *input) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	select {
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case <-i.site.closed:
		return nil, nil, service.ErrEndOfInput
	}
}

// Close ends the streams of verdicts; other requests end by themselves.
func (i *input) Close(context.Context) error {
	i.site.close()
	return nil
}
