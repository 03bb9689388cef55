// Package collector is the front door: the resource http_listener, on which
// inputs mount their routes, and the input collector_http, which takes uploads
// of collectors and answers 202 when they are durable.
//
// Metrics of collector_http, as one greps for them:
//
//	testengine_uploads_total{result}       one per request; results are those of refusal.go, and accepted
//	testengine_upload_bytes_total          bytes of accepted bodies as sent
//	testengine_uploads_in_flight           requests between their first byte and their answer
//	testengine_upload_in_flight_bytes      bytes those requests hold
//	testengine_upload_latency_ns           from the header to the answer, accepted uploads only
//	testengine_admission_limit             uploads that may be worked on at a time
//	testengine_admission_in_flight, _waiting  uploads that are, and that wait to be
//	testengine_tenant_reloads_total{result}   readings of the suites file: loaded, broken
//	testengine_suites_file_broken          1 while the suites file is refused and older tenants count
package collector

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/redpanda-data/benthos/v4/public/service"
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
	err := service.GlobalEnvironment().RegisterCustomResource(listenerType, listenerSpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (any, error) {
			config, err := listenerFromParsed(conf)
			if err != nil {
				return nil, err
			}
			return newListener(config, res.Logger()), nil
		})
	if err != nil {
		panic(err)
	}
}

func listenerSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Network").
		Summary("One HTTP server on which inputs mount their routes.").
		Description(`HTTP/1.1 and HTTP/2 are served, with TLS and, for proxies, without. The address is bound when the first input mounts a route, so a process that cannot have its address refuses to start with one sentence, while `+"`lint` and `test`"+` open no port.

Beside the routes of inputs it serves `+"`/live`"+` (200 as long as the process serves) and `+"`/ready`"+` (200 when every input is ready, 503 with the reasons before and while it shuts down).`).
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
			service.NewDurationField(lfReadHeaderTimeout).
				Description("How long a client may take to send the header of a request before its connection is closed.").
				Default("10s").Advanced(),
			service.NewDurationField(lfReadTimeout).
				Description("How long a client may take to send the body of a request before it is answered 408.").
				Default("60s").Advanced(),
			service.NewDurationField(lfIdleTimeout).
				Description("How long a connection may stay open without a request.").
				Default("120s").Advanced(),
			service.NewDurationField(lfShutdownTimeout).
				Description("How long requests that are being answered may take at shutdown before their connections are closed.").
				Default("5s").Advanced(),
			service.NewIntField(lfMaxConnections).
				Description("Connections open at a time. Further clients wait in the system's queue.").
				Default(2048).Advanced().LintRule(`root = if this < 1 { "max_connections must be at least 1" }`),
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

func listenerFromParsed(conf *service.ParsedConfig) (c listenerConfig, err error) {
	p := parser{conf: conf}
	c.address = p.text(lfAddress)
	c.baseURL = p.text(lfBaseURL)
	c.certFile = p.text(lfTLS, lfTLSCertFile)
	c.keyFile = p.text(lfTLS, lfTLSKeyFile)
	c.readHeaderTimeout = p.duration(lfReadHeaderTimeout)
	c.readTimeout = p.duration(lfReadTimeout)
	c.idleTimeout = p.duration(lfIdleTimeout)
	c.shutdownTimeout = p.duration(lfShutdownTimeout)
	c.maxConnections = p.number(lfMaxConnections)
	c.maxHeaderBytes = int(p.bytes(lfMaxHeaderBytes))
	trusted, err := conf.FieldStringList(lfTrustedProxies)
	p.keep(err)
	c.proxies, err = parseProxies(trusted)
	p.keep(err)
	if p.err == nil && (c.certFile == "") != (c.keyFile == "") {
		p.err = fmt.Errorf("reading %s: %s and %s belong together", lfTLS, lfTLSCertFile, lfTLSKeyFile)
	}
	return c, p.err
}

// parser reads fields and keeps the first error.
type parser struct {
	conf *service.ParsedConfig
	err  error
}

func (p *parser) keep(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *parser) text(path ...string) string {
	value, err := p.conf.FieldString(path...)
	p.keep(err)
	return value
}

func (p *parser) flag(path ...string) bool {
	value, err := p.conf.FieldBool(path...)
	p.keep(err)
	return value
}

func (p *parser) number(path ...string) int {
	value, err := p.conf.FieldInt(path...)
	p.keep(err)
	return value
}

func (p *parser) duration(path ...string) time.Duration {
	value, err := p.conf.FieldDuration(path...)
	p.keep(err)
	return value
}

func (p *parser) bytes(path ...string) int64 {
	written := p.text(path...)
	value, err := humanize.ParseBytes(written)
	if err != nil && written != "" {
		p.keep(fmt.Errorf("reading %s: %q is no size such as 32MiB", path[len(path)-1], written))
	}
	return int64(min(value, 1<<62))
}
