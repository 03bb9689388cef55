// Package limiter decides how many requests may be worked on at a time: as many
// as do not make each other slow. It follows the time from admission to the end
// of the work, for a front door the log's acknowledgement.
package limiter

import (
	"context"
	"errors"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"

	"github.com/connect-testengine/connect-testengine/plugins/admission/fair"
)

// ErrShed says that a request was turned away because there is no room and it is
// not important enough to wait.
var ErrShed = errors.New("there is more to do than can be done: this can wait")

// Class is what a request brings, in the order in which it is turned away.
type Class uint8

// The classes.
const (
	// Annotations, plan metadata and logs are turned away when somebody waits, in this order.
	Annotations Class = iota
	PlanMetadata
	Logs
	// Results are never turned away: they wait.
	Results
)

// Options bound the limit.
type Options struct {
	// Least and Most bound the limit, First is where it begins; all count requests.
	Least, Most, First int
	// Lag is how far something behind is behind: above MostLag the limit is Least,
	// and only Results are admitted. It is asked often; nil is never behind.
	Lag     func() time.Duration
	MostLag time.Duration
	// Now is the clock by which a tenant counts as still there (fair.Options).
	Now func() time.Time
}

// Limiter admits requests. It is safe for concurrent use.
type Limiter struct {
	options  Options
	adaptive adaptivelimiter.AdaptiveLimiter[any]
	share    *fair.Share
}

// New returns a limiter.
func New(o Options) *Limiter {
	l := &Limiter{options: o}
	l.adaptive = adaptivelimiter.NewBuilder[any]().
		WithLimits(uint(o.Least), uint(o.Most), uint(o.First)).
		WithMaxLimitStabilizationWindow(stabilization).
		Build()
	l.share = fair.New(fair.Options{
		Capacity: func() int64 { return int64(l.Limit()) },
		Spare:    func() int64 { return int64(max(1, l.Limit()/spareOf)) },
		Now:      o.Now,
	})
	return l
}

const (
	stabilization = 10 * time.Second
	// spareOf says which part of the limit one tenant leaves to the others: half of
	// it keeps the log busy, and others need not wait until one of its is done.
	spareOf = 2
)

// Limit is how many may be worked on now. While downstream lags it is the least.
func (l *Limiter) Limit() int {
	if l.lags() {
		return l.options.Least
	}
	return max(l.options.Least, l.adaptive.Limit())
}

func (l *Limiter) lags() bool { return l.options.Lag != nil && l.options.Lag() > l.options.MostLag }

// InFlight is how many requests are worked on.
func (l *Limiter) InFlight() int { return int(l.share.Held()) }

// Waiting is how many requests wait to be admitted.
func (l *Limiter) Waiting() int { return l.share.Waiting() }

// room is how many may wait before a class is turned away, as a share of the limit.
var room = map[Class]float64{Annotations: 0, PlanMetadata: 0.5, Logs: 1}

// Admit waits until the tenant's request may be worked on; while downstream lags
// only Results may. The error is ErrShed at once for what is turned away, and
// fair.ErrFull when the context ends before there is room.
func (l *Limiter) Admit(ctx context.Context, tenant string, weight float64, class Class) (*Permit, error) {
	if share, sheds := room[class]; sheds && (l.lags() || l.Waiting() > 0 && float64(l.Waiting()) >= share*float64(l.Limit())) {
		return nil, ErrShed
	}
	if err := l.share.Acquire(ctx, tenant, weight, 1); err != nil {
		return nil, err
	}
	// The share has decided; the adaptive limiter only measures.
	permit, _ := l.adaptive.TryAcquirePermit()
	return &Permit{limiter: l, tenant: tenant, permit: permit}, nil
}

// Permit is one request that is being worked on.
type Permit struct {
	limiter *Limiter
	tenant  string
	permit  adaptivelimiter.Permit
}

// Done ends the request. done says that it was worked on to the end, so that its
// time counts.
func (p *Permit) Done(done bool) {
	if p.permit != nil {
		if done {
			p.permit.Record()
		} else {
			p.permit.Drop()
		}
	}
	p.limiter.share.Release(p.tenant, 1)
}
