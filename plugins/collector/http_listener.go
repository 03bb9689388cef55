// Package collector is the front door: the resource http_listener, on which
// inputs mount their routes, and the input collector_http, which takes uploads
// of collectors and answers 202 when they are durable.
//
// The way of an upload: listener.go and listener_serve.go (the port), ways.go (the
// paths, and how each is read and answered), door.go (one upload from header to
// answer), admission.go and inspect.go (who it is, when it is its turn, what it
// looks like), package handoff (the desk), collector_http.go (the stream's side).
// Suites and tokens: suites_*.go read and write the suites file, directory.go and
// suite_watch.go follow it, package tenant answers from it. Beside uploads:
// owners.go (TESTOWNERS files), signals.go (OTLP's logs and metrics), plans.go
// (bktec's test plans), doctor.go (the command `doctor`).
//
// Metrics of collector_http, as one greps for them:
//
//	testengine_uploads_total{result}       one per request; results are those of refusal.go, and accepted
//	testengine_upload_bytes_total          bytes of accepted bodies as sent
//	testengine_uploads_in_flight           requests between their first byte and their answer
//	testengine_upload_in_flight_bytes      bytes those requests hold
//	testengine_otlp_rejected_total{signal} records of OTLP that are no traces: logs, metrics
//	testengine_upload_latency_ns           from the header to the answer, accepted uploads only
//	testengine_admission_limit             uploads that may be worked on at a time
//	testengine_admission_in_flight, _waiting  uploads that are, and that wait to be
//	testengine_tenant_reloads_total{result}   readings of the suites file: loaded, broken
//	testengine_suites_file_broken          1 while the suites file is refused and older tenants count
package collector

import (
	"fmt"
	"net/url"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/message/resource"
)

const (
	listenerType = "http_listener"

	lfAddress           = "address"
	lfBaseURL           = "base_url"
	lfTLS               = "tls"
	lfTLSCertFile       = "cert_file"
	lfTLSKeyFile        = "key_file"
	lfReadHeaderTimeout = "read_header_timeout"
	lfReadTimeout       = "read_timeout"
	lfIdleTimeout       = "idle_timeout"
	lfShutdownTimeout   = "shutdown_timeout"
	lfMaxConnections    = "max_connections"
	lfMaxHeaderBytes    = "max_header_bytes"
	lfTrustedProxies    = "trusted_proxies"
)

func init() {
	resource.Register(listenerType, listenerSpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (any, error) {
			config, err := listenerFromParsed(conf)
			if err != nil {
				return nil, err
			}
			return newListener(config, res.Logger()), nil
		})
}

func listenerSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Network").
		Summary("One HTTP server on which inputs mount their routes.").
		Description(`HTTP/1.1 and HTTP/2 are served, with TLS and, for proxies, without. The address is bound when the first input mounts a route, so a process that cannot have its address refuses to start with one sentence, while `+"`lint` and `test`"+` open no port.

Beside the routes of inputs it serves `+"`/live`"+` (200 as long as the process serves) and `+"`/ready`"+` (200 when every input is ready, 503 with the reasons before and while it shuts down).

A connection of HTTP/1.1 without TLS that has had no request for a second waits outside of the server, where it takes a sixth of the memory, and comes back with its next request. It keeps its place among `+"`max_connections`, and `idle_timeout`"+` ends it as any other.`).
		Fields(
			service.NewStringField(lfAddress).
				Description("Where to listen, as host:port. The default is reachable from this machine alone; `0.0.0.0:8420` opens it to the network.").
				Default("127.0.0.1:8420"),
			service.NewStringField(lfBaseURL).
				Description("How clients reach this server from outside, for links in answers. Empty means `http://` and the address (`https://` with TLS).").
				Default("").
				Example("https://tests.example.com"),
			service.NewObjectField(lfTLS,
				service.NewStringField(lfTLSCertFile).Description("The certificate chain as a PEM file. It is read again when it changes.").Default(""),
				service.NewStringField(lfTLSKeyFile).Description("The private key as a PEM file.").Default(""),
			).Description("Serve HTTPS. Both files are needed; leave both empty to serve plain HTTP.").Advanced().
				LintRule(`root = if (this.cert_file.or("") == "") != (this.key_file.or("") == "") { "tls needs cert_file and key_file" }`),
			fields.NewDuration(lfReadHeaderTimeout).
				Description("How long a client may take to send the header of a request before its connection is closed.").
				Default("10s").Advanced(),
			fields.NewDuration(lfReadTimeout).
				Description("How long a client may take to send the body of a request before it is answered 408.").
				Default("60s").Advanced(),
			fields.NewDuration(lfIdleTimeout).
				Description("How long a connection may stay open without a request.").
				Default("120s").Advanced(),
			fields.NewDuration(lfShutdownTimeout).
				Description("How long requests that are being answered may take at shutdown before their connections are closed.").
				Default("5s").Advanced(),
			fields.NewNumber(lfMaxConnections, 1, mostConnections).
				Description("Connections open at a time. Further clients wait in the system's queue.").
				Default(2048).Advanced(),
			service.NewStringField(lfMaxHeaderBytes).
				Description("Size a request's header may have before it is answered 431.").
				Default("64KiB").Advanced(),
			service.NewStringListField(lfTrustedProxies).
				Description("Addresses and networks of the proxies in front. Only their word is taken about the client (`X-Forwarded-For`) and the request's id (`X-Request-Id`); every answer carries the id.").
				Default([]string{}).Example([]string{"10.0.0.0/8"}).Advanced(),
		).
		Example("One port", "The front door and the pages share an address.", `
http_listener:
  - label: listener
    address: 127.0.0.1:8420

input:
  collector_http:
    listener: listener
    suites_file: config/suites.yaml
`)
}

// listenerConfig is the parsed configuration of http_listener.
type listenerConfig struct {
	address           string
	baseURL           string
	certFile, keyFile string
	readHeaderTimeout time.Duration
	readTimeout       time.Duration
	idleTimeout       time.Duration
	shutdownTimeout   time.Duration
	maxConnections    int
	maxHeaderBytes    int
	proxies           proxies
}

const (
	// mostConnections bounds max_connections: each has a place that is made at the start.
	mostConnections = 10_000_000
	// mostHeaderBytes bounds max_header_bytes: 1 GiB.
	mostHeaderBytes = 1 << 30
)

func listenerFromParsed(conf *service.ParsedConfig) (c listenerConfig, err error) {
	p := fields.Into(&err, conf)
	c.address = p.Text(lfAddress)
	c.baseURL = p.Text(lfBaseURL)
	c.certFile = p.Text(lfTLS, lfTLSCertFile)
	c.keyFile = p.Text(lfTLS, lfTLSKeyFile)
	c.readHeaderTimeout = p.Period(lfReadHeaderTimeout)
	c.readTimeout = p.Period(lfReadTimeout)
	c.idleTimeout = p.Period(lfIdleTimeout)
	c.shutdownTimeout = p.Duration(lfShutdownTimeout)
	c.maxConnections = p.NumberWithin(1, mostConnections, lfMaxConnections)
	c.maxHeaderBytes = int(p.BytesWithin(1, mostHeaderBytes, lfMaxHeaderBytes))
	proxies, wrong := parseProxies(p.List(lfTrustedProxies))
	c.proxies = proxies
	p.Keep(wrong)
	if base, wrong := url.Parse(c.baseURL); c.baseURL != "" && (wrong != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "") {
		p.Keep(fmt.Errorf("reading %s: %q is no URL such as https://tests.example.com", lfBaseURL, c.baseURL))
	}
	if err == nil && (c.certFile == "") != (c.keyFile == "") {
		err = fmt.Errorf("reading %s: %s and %s belong together", lfTLS, lfTLSCertFile, lfTLSKeyFile)
	}
	return c, err
}
