package collector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/collector/handoff"
	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
)

const (
	inputType = "collector_http"

	cfListener      = "listener"
	cfPath          = "path"
	cfSuitesFile    = "suites_file"
	cfReloadEvery   = "reload_every"
	cfData          = "data"
	cfQuickstart    = "quickstart"
	cfToken         = "token"
	cfMaxBody       = "max_body"
	cfMaxDecoded    = "max_decoded"
	cfInFlight      = "max_in_flight"
	cfInFlightWait  = "in_flight_wait"
	cfAnswerTimeout = "answer_timeout"
	cfRetryAfter    = "retry_after"
	cfReuseBodies   = "reuse_bodies"
	cfConcurrency   = "concurrency"
	cfLeast         = "least"
	cfMost          = "most"
	cfFirst         = "first"
	cfMaxLag        = "max_lag"
	cfWrongTokens   = "max_wrong_tokens"
	cfBatchUploads  = "batch_uploads"
	cfBatchBytes    = "batch_bytes"
)

func init() {
	service.MustRegisterBatchInput(inputType, inputSpec(), newInputFromParsed)
}

func inputSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Network").
		Summary("Takes uploads of test results from CI collectors over HTTP and answers 202 when they are durable.").
		Description(`Buildkite's collectors, its plugin, `+"`bktec`"+` and curl work unchanged: they need this server's address and a suite's token. JSON and forms with a file of results (`+"`format`"+` names it: json, junit, rspec-json, jest-json, playwright-json, cucumber-json, go-jsonl) are read, each plain or packed with gzip, zstd or deflate. A body that begins as gzip or zstd do is unpacked also where no `+"`Content-Encoding`"+` says so.

Beside `+"`path`"+` (by default `+"`/v1/uploads`"+`) these paths are served: `+"`/v1/traces`"+` takes OTLP over HTTP, protobuf or JSON: a span named `+"`test.execution`"+`, or with the attributes `+"`test.case.name` and `test.case.result.status`"+`, is an execution, whatever other requests of its run hold; the spans below it in the same request are its history, those whose test came in another one are taken, not kept, and named in the answer (partialSuccess without rejected spans); what has nothing to do with tests is rejected span by span (partialSuccess); the run is the span's `+"`buildkite.run_key`"+`, else the header `+"`Buildkite-Tests-Run-Key`"+`, else the resource's `+"`buildkite.run_key` or `cicd.pipeline.run.id`"+`, else the process (`+"`service.instance.id`"+`). `+"`/v1/logs` and `/v1/metrics`"+` keep nothing: an exporter that sends them beside its traces is answered 200 with every record rejected (partialSuccess) and the variable that turns it off, so that it does not send them again. `+"`POST /v1/test-ownerships`"+` takes a TESTOWNERS file (a form with the part `+"`file`"+`), which enters the stream as a `+"`change`"+` of the type owners: lines that are not understood are named in the answer and lose themselves alone, and a file of which nothing is understood, or that is no text, is answered 400 and changes nothing. `+"`GET /v1/uploads/metadata`"+` tells where the suite's pages are. `+"`/v1/uploads/uploads`, `/v1/` and `/v1`"+` are uploads too: collectors read one variable in two ways.

A request is answered only when the stream has acknowledged its upload. Put the buffer `+"`upload_log`"+` behind it: it acknowledges when the upload is on disk. The answer's `+"`Server-Timing`"+` says how many milliseconds that took from the request's header on (`+"`door`"+`), and how many of them it waited for other uploads (`+"`wait`"+`). An upload the stream refuses is answered 503; the input never tries again by itself, and must not be wrapped in anything that does.

Each upload is one message with the body as sent (what is packed stays packed). Its metadata are set here and nowhere else: no header, query or cookie of a client becomes metadata. A change of a suite's detection section in the suites file enters the stream as a message of the kind `+"`change`"+`.

Whatever is refused is answered with `+"`{\"message\": …}`"+` that says what to do: 400 broken body (with the byte), 401 token, 403 scope, 405, 408 too slow, 413 too large, 415 content type, 429 quota of the organisation or too many wrong tokens, 503, the last two with Retry-After and RateLimit-Reset. Collectors show such an answer in the CI job's log or nowhere, so the server's own log has a warning as well, at most one a minute for each suite and kind of reason.

### Metrics

- `+"`testengine_uploads_total` with label `result`"+`: what each request was answered. accepted; method (405), unauthorized (401, and 429 after too many wrong tokens), forbidden (403), unsupported (415), invalid (400), too_large (413), too_slow (408), quota (429), overloaded and not_stored (503).
- `+"`testengine_upload_bytes_total` and `testengine_upload_latency_ns`"+`: bytes as sent of accepted uploads, and the time from a request's header to its answer.
- `+"`testengine_uploads_in_flight` and `testengine_upload_in_flight_bytes`"+`: requests that are open, and what their bodies hold of `+"`max_in_flight`"+`.
- `+"`testengine_admission_limit`, `testengine_admission_in_flight` and `testengine_admission_waiting`"+`: how many uploads may be worked on at a time now, how many are, and how many wait.
- `+"`testengine_otlp_rejected_total` with label `signal`"+`: records of OTLP's logs and metrics that were rejected.
- `+"`testengine_tenant_reloads_total` with label `result`"+` (loaded, broken) and `+"`testengine_suites_file_broken`"+`: 1 while the suites file cannot be read and an older one counts.

What became of the records of accepted uploads is counted by `+"`upload_decode`."+``).
		Fields(inputFields()...).
		LintRule(`root = if this.quickstart.or("") == "" && this.token.or("") != "" { "token is the token of the quickstart suite: name that suite in quickstart" }`).
		Example("A front door with a durable log", "Suites and tokens stand in a file that `connect-testengine suite add` writes.", `
http_listener:
  - label: listener
    address: 0.0.0.0:8420
    base_url: https://tests.example.com

input:
  collector_http:
    listener: listener
    suites_file: config/suites.yaml
`)
}

func inputFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewStringField(cfListener).
			Description("The label of the http_listener on which to mount the route.").
			Default("listener"),
		service.NewStringField(cfPath).
			Description("Where uploads are sent to. Collectors expect the default.").
			Default("/v1/uploads").Advanced(),
		service.NewStringField(cfSuitesFile).
			Description("The file with suites, hashed tokens and limits. Changes count within seconds; a broken file is logged and leaves everything as it was. A missing file is an empty one.").
			Default("config/suites.yaml"),
		fields.NewDuration(cfReloadEvery).
			Description("How often to look whether the suites file has changed. A change counts once two looks have found the same file, so that one which is being written is not read half: within twice this time.").
			Default("2s").Advanced(),
		service.NewStringField(cfData).
			Description("The folder in which to remember what must survive a restart: the hash of the quickstart's token, and which detection sections the log has. Empty remembers nothing.").
			Default("./data"),
		service.NewStringField(cfQuickstart).
			Description("A suite, as ORG/SUITE, that exists without being in the suites file. The first start makes its token and prints it, once, with the variables to paste into CI. Empty is none.").
			Default("").Example("local/quickstart"),
		service.NewStringField(cfToken).
			Description("The token of the quickstart suite, instead of one that is made.").
			Default("").Secret(),
		service.NewStringField(cfMaxBody).
			Description("Size of a body as sent beyond which it is answered 413. A suite may have a lower limit.").
			Default("32MiB"),
		service.NewStringField(cfMaxDecoded).
			Description("Size of a body after decompression beyond which it is answered 413. A suite may have a lower limit.").
			Default("128MiB"),
		service.NewStringField(cfInFlight).
			Description("Bytes of bodies that may be held at a time; must be more than max_body.").
			Default("256MiB"),
		fields.NewDuration(cfInFlightWait).
			Description("How long a request waits for room among the bytes in flight before it is answered 503.").
			Default("10s").Advanced(),
		fields.NewDuration(cfAnswerTimeout).
			Description("How long an upload waits to be taken and made durable before it is answered 503.").
			Default("30s").Advanced(),
		fields.NewDuration(cfRetryAfter).
			Description("What Retry-After says on a 503.").
			Default("5s").Advanced(),
		service.NewBoolField(cfReuseBodies).
			Description("Use the memory of a body again once its upload has been acknowledged: it spares a third of the work on large bodies. Only safe when what stands directly behind the input keeps no reference to a message after its acknowledgement, as `upload_log` does. A log that keeps what is new in memory has to copy such a body, so in front of a pipeline that keeps up leave it off.").
			Default(false).Advanced(),
		service.NewObjectField(cfConcurrency,
			service.NewIntField(cfLeast).Description("The least uploads worked on at a time.").Default(8),
			service.NewIntField(cfMost).Description("The most.").Default(128),
			service.NewIntField(cfFirst).Description("How many at the start.").Default(16),
			fields.NewDuration(cfMaxLag).Description("How far what stands behind may be behind before the number falls to the least and nothing but results is taken. A buffer `upload_log` that names the same listener tells it: the age of the oldest upload that its output lacks. 0s does not look.").Default("0s"),
		).Description("How many uploads are worked on at a time, between their last byte and their answer. The number follows the time until the stream acknowledges: it falls while that grows and rises while it does not. Uploads beyond it wait, those of the organisation that has least in work for its weight first, no longer than in_flight_wait. Results always wait; when others wait already, links (`GET uploads/metadata`) are turned away first, TESTOWNERS files next and OTLP's logs and metrics last.").Advanced().
			LintRule(`root = if this.least.or(8) < 1 || this.first.or(16) < this.least.or(8) || this.most.or(128) < this.first.or(16) { "concurrency needs 1 <= least <= first <= most" }`),
		fields.NewNumber(cfWrongTokens, 0, fields.Endless).
			Description("Wrong tokens a client's address may present in a minute; further ones are answered 429 instead of 401. 0 is without limit.").
			Default(120).Advanced(),
		fields.NewNumber(cfBatchUploads, 1, fields.Endless).
			Description("The most uploads handed to the stream as one batch. Only what is waiting already goes together: a batch never waits for more.").
			Default(64).Advanced(),
		service.NewStringField(cfBatchBytes).
			Description("Bytes beyond which no further upload joins a batch.").
			Default("1MiB").Advanced(),
	}
}

// doorConfig is the parsed configuration of collector_http.
type doorConfig struct {
	listener, path      string
	suitesFile, dataDir string
	quickstart, token   string
	reloadEvery         time.Duration
	bodyBytes           int64
	decodedBytes        int64
	inFlightBytes       int64
	inFlightWait        time.Duration
	answerTimeout       time.Duration
	retryAfter          time.Duration
	reuseBodies         bool
	batchUploads        int
	wrongTokens         int

	leastRequests, mostRequests, firstRequests int
	maxLag                                     time.Duration
	batchBytes                                 int64
}

// mostBytes bounds what is a size: 1 TiB.
const mostBytes = 1 << 40

func doorFromParsed(conf *service.ParsedConfig) (c doorConfig, err error) {
	p := fields.Into(&err, conf)
	c.listener = p.Text(cfListener)
	c.path = p.Text(cfPath)
	c.suitesFile = p.Text(cfSuitesFile)
	c.reloadEvery = p.Period(cfReloadEvery)
	c.dataDir = p.Text(cfData)
	c.quickstart = p.Text(cfQuickstart)
	c.token = p.Text(cfToken)
	c.bodyBytes = p.BytesWithin(1, mostBytes, cfMaxBody)
	c.decodedBytes = p.BytesWithin(1, mostBytes, cfMaxDecoded)
	c.inFlightBytes = p.BytesWithin(1, mostBytes, cfInFlight)
	c.inFlightWait = p.Duration(cfInFlightWait)
	c.answerTimeout = p.Period(cfAnswerTimeout)
	c.retryAfter = p.Duration(cfRetryAfter)
	c.reuseBodies = p.Truth(cfReuseBodies)
	c.batchUploads = p.NumberWithin(1, fields.Endless, cfBatchUploads)
	c.batchBytes = p.BytesWithin(1, mostBytes, cfBatchBytes)
	c.wrongTokens = p.NumberWithin(0, fields.Endless, cfWrongTokens)
	c.leastRequests, c.mostRequests, c.firstRequests = p.Number(cfConcurrency, cfLeast), p.Number(cfConcurrency, cfMost), p.Number(cfConcurrency, cfFirst)
	c.maxLag = p.Duration(cfConcurrency, cfMaxLag)
	switch {
	case err != nil:
	case !strings.HasPrefix(c.path, "/"):
		err = fmt.Errorf("reading %s: %q must begin with /", cfPath, c.path)
	case c.inFlightBytes <= c.bodyBytes:
		err = fmt.Errorf("reading %s: it must be more than %s, or the largest upload never fits", cfInFlight, cfMaxBody)
	case c.leastRequests < 1 || c.firstRequests < c.leastRequests || c.mostRequests < c.firstRequests:
		err = fmt.Errorf("reading %s: 1 <= %s <= %s <= %s is needed", cfConcurrency, cfLeast, cfFirst, cfMost)
	}
	return c, err
}

// input is collector_http: the door's other side, where the stream takes uploads.
type input struct {
	door    *door
	suites  *suiteWatch
	started sync.Once
	watched sync.Once
	done    chan struct{}
}

func newInputFromParsed(conf *service.ParsedConfig, res *service.Resources) (service.BatchInput, error) {
	config, err := doorFromParsed(conf)
	if err != nil {
		return nil, err
	}
	listener, err := fields.Resource[*Listener](context.Background(), res, listenerType, config.listener)
	if err != nil {
		return nil, err
	}
	return mount(config, listener, res, os.Stderr)
}

// mount opens the door on its listener. tell is where the quickstart prints its token.
func mount(config doorConfig, listener *Listener, res *service.Resources, tell io.Writer) (*input, error) {
	door := newDoor(config, res, listener.Lag)
	door.base = listener.BaseURL
	listener.Ready(inputType, door.ready)
	if err := door.mountWays(listener, config.path); err != nil {
		return nil, err
	}
	suites, err := newSuiteWatch(config, door, listener.BaseURL)
	if err != nil {
		return nil, err
	}
	door.directory.Store(suites.directory)
	listener.SetDirectory(suites.directory)
	listener.SetAdmission(func() (limit, inFlight, waiting int) {
		l := door.gate.limiter
		return l.Limit(), l.InFlight(), l.Waiting()
	})
	_, _ = io.WriteString(tell, suites.tell)
	return &input{door: door, suites: suites, done: make(chan struct{})}, nil
}

// Connect starts following the suites file; the route is mounted already.
func (i *input) Connect(context.Context) error {
	i.started.Do(func() {
		i.door.connected.Store(true)
		go func() {
			defer close(i.done)
			i.suites.follow()
		}()
	})
	return nil
}

// ReadBatch waits for an upload and takes along what else is waiting: all of a
// batch is made durable by one sync, and answered by one ack.
func (i *input) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	// ctx ends when the stream stops; from then on nothing is taken.
	i.watched.Do(func() { context.AfterFunc(ctx, i.door.desk.Stop) })
	size := int64(0)
	taken, err := i.door.desk.Take(ctx, func(taken []*handoff.Offer[*delivery]) bool {
		size += int64(len(taken[len(taken)-1].Item.body))
		return len(taken) < i.door.config.batchUploads && size < i.door.config.batchBytes
	})
	if errors.Is(err, handoff.ErrStopped) {
		return nil, nil, service.ErrEndOfInput
	}
	if err != nil {
		return nil, nil, err
	}
	batch := make(service.MessageBatch, len(taken))
	for n, offer := range taken {
		batch[n] = offer.Item.message
	}
	var once sync.Once
	return batch, func(_ context.Context, err error) error {
		once.Do(func() {
			for _, offer := range taken {
				// From now on nobody reads the body.
				offer.Item.store.Put(offer.Item.body)
				offer.Acknowledge(err)
			}
		})
		return nil
	}, nil
}

// Close answers what is still waiting. The stream has sent its last ack.
func (i *input) Close(ctx context.Context) error {
	i.door.desk.Close()
	i.started.Do(func() { close(i.done) })
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	select {
	case <-i.done:
		return nil
	case <-ctx.Done():
		return errors.New("closing: following the suites file did not end in time")
	}
}
