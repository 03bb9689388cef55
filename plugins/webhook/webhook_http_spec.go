package webhook

import (
	"fmt"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/webhook/signature"
)

const (
	wfListener     = "listener"
	wfPath         = "path"
	wfToken        = "token"
	wfHeaders      = "headers"
	wfMaxBody      = "max_body"
	wfMaxInFlight  = "max_in_flight"
	wfTimeout      = "answer_timeout"
	wfRetryAfter   = "retry_after"
	wfBatch        = "batch_webhooks"
	wfReuseBodies  = "reuse_bodies"
	wfSignature    = "signature"
	wfScheme       = "scheme"
	wfSecrets      = "secrets"
	wfTolerance    = "tolerance"
	wfHeader       = "header"
	wfPrefix       = "prefix"
	wfEncoding     = "encoding"
	wfAlgorithm    = "algorithm"
	wfReplay       = "replay"
	wfWindow       = "window"
	wfRemembered   = "remembered"
	wfReplayHeader = "header"

	schemeNone = "none"

	mostBytes = 4 << 30
)

func webhookSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.2.0").
		Categories("Network").
		Summary("Takes webhooks of any sender on the port of the front door, checks who sent them, and answers 202 when they are durable.").
		Description(`A webhook is answered only when the stream has acknowledged it; what the stream refuses is answered 503 with Retry-After, and nothing is tried again here. Put a durable buffer or a log behind it.

Who may send: whoever knows the path's token (`+"`Authorization: Bearer …`"+`), or a secret that the body is signed with, or both. With neither anybody may, which the log says at the start. Several secrets are valid at a time, so one can be replaced without a gap. A webhook that was stored within the replay window is answered 200 and not passed on again; this is remembered in memory, until the process ends, and by each process for itself. Behind it `+"`webhook_id`"+` is the same for the same webhook, for whoever must drop it then.

Metadata of a message: `+"`webhook_path`, `webhook_id`"+` (what names the delivery), `+"`received_at`"+` (unix milliseconds), `+"`content_type`"+`, and the headers named in `+"`headers`"+`. Nothing else that a client sends becomes metadata.

Refusals are `+"`{\"message\": …}`"+`: 401 token or signature, 400 stale or broken, 405, 408, 413, 503.

Metrics: `+"`testengine_webhooks_total{result}`"+` (accepted, repeated; method, unauthorized, stale, invalid, too_large, too_slow, not_stored).`).
		Fields(webhookFields()...).
		Example("A code host in front of a log", "Pushes of up to 25 MB, cut into messages a Kafka topic takes.", `
http_listener:
  - label: listener
    address: 0.0.0.0:8420

input:
  webhook_http:
    listener: listener
    path: /webhooks/code
    headers: [ X-GitHub-Event, X-GitHub-Delivery ]
    signature:
      scheme: github
      secrets: [ "${WEBHOOK_SECRET:none}" ]

pipeline:
  processors:
    - webhook_chunk:
        path: commits
`)
}

func webhookFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewStringField(wfListener).Description("The label of the http_listener on which to mount the route.").Default("listener"),
		service.NewStringField(wfPath).Description("Where webhooks are sent to.").Default("/webhooks").Example("/webhooks/code"),
		service.NewStringField(wfToken).Description("A token that senders must present as `Authorization: Bearer`. Empty for none.").Default("").Secret(),
		service.NewObjectField(wfSignature,
			service.NewStringEnumField(wfScheme, schemeNone, "github", "stripe", "standard", "hmac").
				Description("How the body is signed: `github` (X-Hub-Signature-256), `stripe` (t=…,v1=… with a time), `standard` (Standard Webhooks: webhook-id, webhook-timestamp, webhook-signature), `hmac` (a hash of the body in a header of its own).").
				Default(schemeNone),
			service.NewStringListField(wfSecrets).Description("The secrets that are valid now.").Default([]string{}).Secret(),
			fields.NewDuration(wfTolerance).Description("How far the signed time may be from now, for schemes that sign one. 0s does not look.").Default("5m"),
			service.NewStringField(wfHeader).Description("The header with the signature, for `hmac`, and for `stripe` when it is not Stripe-Signature.").Default("").Advanced(),
			service.NewStringField(wfPrefix).Description("What stands before the signature in the header, for `hmac`.").Default("").Example("sha256=").Advanced(),
			service.NewStringEnumField(wfEncoding, "hex", "base64").Description("How the signature is written, for `hmac`.").Default("hex").Advanced(),
			service.NewStringEnumField(wfAlgorithm, "sha256", "sha1", "sha512").Description("The hash, for `hmac`.").Default("sha256").Advanced(),
		).Description("How to check that a webhook comes from whom it says."),
		service.NewObjectField(wfReplay,
			fields.NewDuration(wfWindow).Description("How long a stored webhook is remembered. 0s remembers none.").Default("10m"),
			fields.NewNumber(wfRemembered, 1, fields.Endless).Description("The most webhooks that are remembered.").Default(100_000).Advanced(),
			service.NewStringField(wfReplayHeader).Description("The header that names a delivery, when bodies are not signed. Signed ones are named by what is signed.").Default("").Example("X-Request-Id").Advanced(),
		).Description("How webhooks that come again are recognised."),
		service.NewStringListField(wfHeaders).Description("Headers that become metadata, under the name given here.").Default([]string{}).Example([]string{"X-GitHub-Event"}),
		service.NewStringField(wfMaxBody).Description("Size of a body beyond which it is answered 413.").Default("32MiB"),
		service.NewStringField(wfMaxInFlight).Description("Bytes of bodies that may be held at a time; must not be less than max_body.").Default("256MiB"),
		fields.NewDuration(wfTimeout).Description("How long a webhook waits for room and to be made durable before it is answered 503.").Default("10s").Advanced(),
		fields.NewDuration(wfRetryAfter).Description("What Retry-After says on a 503.").Default("5s").Advanced(),
		fields.NewNumber(wfBatch, 1, fields.Endless).Description("The most webhooks handed to the stream as one batch. A batch never waits for more.").Default(64).Advanced(),
		service.NewBoolField(wfReuseBodies).
			Description("Use the memory of a body again once its webhook has been acknowledged: it spares much of the work on large bodies, and a third of the memory. Only safe when nothing behind the input keeps a reference to a message after its acknowledgement; the cache `memory` does, for example.").
			Default(false).Advanced(),
	}
}

// config is the parsed configuration.
type config struct {
	listener, path, token string
	headers               []string
	maxBody, maxInFlight  int64
	timeout, retryAfter   time.Duration
	batch                 int
	reuseBodies           bool
	verifier              *signature.Verifier // nil for none
	window                time.Duration
	remembered            int
	replayHeader          string
}

func configFromParsed(conf *service.ParsedConfig) (c config, err error) {
	p := fields.Into(&err, conf)
	c.listener, c.path, c.token = p.Text(wfListener), p.Text(wfPath), p.Text(wfToken)
	c.headers = p.List(wfHeaders)
	c.maxBody, c.maxInFlight = p.BytesWithin(1, mostBytes, wfMaxBody), p.BytesWithin(1, mostBytes, wfMaxInFlight)
	c.timeout, c.retryAfter = p.Duration(wfTimeout), p.Duration(wfRetryAfter)
	c.batch = p.NumberWithin(1, fields.Endless, wfBatch)
	c.reuseBodies = p.Truth(wfReuseBodies)
	signed := p.Within(wfSignature)
	options := signature.Options{
		Scheme: signed.Text(wfScheme), Secrets: signed.List(wfSecrets), Tolerance: signed.Duration(wfTolerance),
		Header: signed.Text(wfHeader), Prefix: signed.Text(wfPrefix), Encoding: signed.Text(wfEncoding), Algorithm: signed.Text(wfAlgorithm),
	}
	replay := p.Within(wfReplay)
	c.window, c.remembered, c.replayHeader = replay.Duration(wfWindow), replay.NumberWithin(1, fields.Endless, wfRemembered), replay.Text(wfReplayHeader)
	if err != nil {
		return c, err
	}
	if !strings.HasPrefix(c.path, "/") || strings.ContainsAny(c.path, "{}") {
		return c, fmt.Errorf("reading %s: %q must begin with / and have no braces", wfPath, c.path)
	}
	if c.maxInFlight < c.maxBody {
		return c, fmt.Errorf("reading %s: it must not be less than %s, or the largest webhook never fits", wfMaxInFlight, wfMaxBody)
	}
	if options.Scheme != schemeNone {
		if c.verifier, err = signature.New(options); err != nil {
			return c, fmt.Errorf("reading %s: %w", wfSignature, err)
		}
	}
	return c, nil
}
