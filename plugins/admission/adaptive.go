// Package admission is the rate limit adaptive: it slows a stream down by the
// same numbers as the front door admits uploads.
package admission

import (
	"context"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
)

const (
	rateLimitType = "adaptive"
	listenerType  = "http_listener"

	rfListener = "listener"
	rfShare    = "share"
	rfWait     = "wait"
)

func init() {
	service.MustRegisterRateLimit(rateLimitType, adaptiveSpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.RateLimit, error) {
			return adaptiveFromParsed(conf, res)
		})
}

func adaptiveSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.2.0").
		Categories("Utility").
		Summary("Lets something through while the front door has room, and holds it back while uploads need it.").
		Description(`The front door (input `+"`collector_http`"+`) admits as many uploads at a time as do not make each other slow. This rate limit shows those numbers to other parts of the same process, so that what matters less (a backfill, an export) makes room: it grants access while the uploads in work are fewer than a share of the limit and none waits.`).
		Fields(
			service.NewStringField(rfListener).
				Description("The label of the http_listener on which the front door is mounted.").
				Default("listener"),
			service.NewFloatField(rfShare).
				Description("The share of the front door's limit that may be in work while access is granted.").
				Default(0.5).LintRule(`root = if this <= 0 || this > 1 { "share must be above 0 and at most 1" }`),
			fields.NewDuration(rfWait).
				Description("How long to wait before asking again.").
				Default("100ms").Advanced(),
		).
		Example("Copy archived uploads while nobody waits", "The copy stops while the front door is busy.", `
rate_limit_resources:
  - label: spare_time
    adaptive:
      listener: listener

pipeline:
  processors:
    - rate_limit:
        resource: spare_time
`)
}

// load is what the front door tells of itself.
type load interface {
	// Admission returns how many uploads may be worked on, are, and wait to be; ok is false without a front door.
	Admission() (limit, inFlight, waiting int, ok bool)
}

// adaptive is the rate limit.
type adaptive struct {
	res      *service.Resources
	listener string
	share    float64
	wait     time.Duration
}

func adaptiveFromParsed(conf *service.ParsedConfig, res *service.Resources) (a *adaptive, err error) {
	r := fields.Into(&err, conf)
	a = &adaptive{res: res, listener: r.Text(rfListener), share: r.Fraction(rfShare), wait: r.Duration(rfWait)}
	return a, err
}

// Access implements service.RateLimit.
func (a *adaptive) Access(ctx context.Context) (time.Duration, error) {
	door, err := fields.Resource[load](ctx, a.res, listenerType, a.listener)
	if err != nil {
		return 0, err
	}
	return a.waitFor(door), nil
}

func (a *adaptive) waitFor(door load) time.Duration {
	limit, inFlight, waiting, ok := door.Admission()
	if ok && (waiting > 0 || float64(inFlight) >= a.share*float64(limit)) {
		return a.wait
	}
	return 0
}

// Close implements service.RateLimit.
func (*adaptive) Close(context.Context) error { return nil }
