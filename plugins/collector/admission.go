package collector

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/admission/limiter"
	"github.com/connect-testengine/connect-testengine/plugins/admission/quota"
	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
)

// gate decides whose request is worked on, and when.
type gate struct {
	limiter *limiter.Limiter
	quotas  *quota.Book
	// guesses counts wrong tokens by client, for as long as the quota's minute.
	guesses *quota.Book
	config  doorConfig
	oidc    *oidcTokens
}

func newGate(config doorConfig, now func() time.Time, lag func() time.Duration, issuers func() []string) *gate {
	options := limiter.Options{Least: config.leastRequests, Most: config.mostRequests, First: config.firstRequests, Now: now}
	if config.maxLag > 0 {
		options.Lag, options.MostLag = lag, config.maxLag
	}
	return &gate{
		config: config, quotas: quota.New(), guesses: quota.New(), oidc: newOIDCTokens(issuers, now), limiter: limiter.New(options),
	}
}

// authorize finds the tenant of a request that may send uploads.
func (d *door) authorize(r *http.Request) (tenant.Tenant, error) {
	known := d.directory.Load()
	if known == nil {
		return tenant.Tenant{}, overloaded("the server is starting", d.config.retryAfter)
	}
	token, _ := tenant.ParseAuthorization(r.Header.Get("Authorization"))
	if tenant.LooksLikeJWT(token) {
		return d.authorizeOIDC(r.Context(), known, token)
	}
	who, err := tenant.Authorize(known, r.Header.Get("Authorization"), tenant.ScopeWrite)
	if err == nil {
		known.used(&who, d.now())
		return who, nil
	}
	if errors.Is(err, tenant.ErrNoSuite) {
		if wait := d.gate.guesses.Take(d.now(), r.RemoteAddr, quota.Limits{Uploads: int64(d.config.wrongTokens)}, 0); wait > 0 {
			return tenant.Tenant{}, tooMany("too many wrong tokens came from this address", resultUnauthorized, wait)
		}
	}
	return tenant.Tenant{}, unauthorized(err)
}

func (d *door) authorizeOIDC(ctx context.Context, known *directory, token string) (tenant.Tenant, error) {
	identity, err := d.gate.oidc.verify(ctx, token)
	if errors.Is(err, errIssuer) {
		d.complain(err)
		return tenant.Tenant{}, overloaded("the keys of the token's issuer cannot be had now", d.config.retryAfter)
	}
	if err != nil {
		return tenant.Tenant{}, unauthorized(err)
	}
	who, err := known.Identify(identity)
	if err == nil && !who.May(tenant.ScopeWrite) {
		err = tenant.ErrScope
	}
	if err != nil {
		return tenant.Tenant{}, unauthorized(err)
	}
	known.used(&who, d.now())
	return who, nil
}

// withinQuota counts an upload against what its organisation may send. A body
// that does not announce its length counts once it is read.
func (d *door) withinQuota(who *tenant.Tenant, bytes int64) error {
	limits := quota.Limits{Uploads: who.Organization.UploadsPerMinute, Bytes: who.Organization.BytesPerMinute}
	if wait := d.gate.quotas.Take(d.now(), who.Org, limits, max(0, bytes)); wait > 0 {
		return tooMany("organization "+who.Org+" has sent more than its quota allows", resultQuota, wait)
	}
	return nil
}

// admit waits until the request may be worked on. Results are never turned away
// for something less important; they only wait, no longer than in_flight_wait.
func (d *door) admit(ctx context.Context, who *tenant.Tenant, class limiter.Class) (*limiter.Permit, error) {
	ctx, cancel := context.WithTimeout(ctx, d.config.inFlightWait)
	defer cancel()
	permit, err := d.gate.limiter.Admit(ctx, who.Org, who.Organization.Weight, class)
	if errors.Is(err, limiter.ErrShed) {
		return nil, overloaded(err.Error(), d.config.retryAfter)
	}
	if err != nil {
		return nil, overloaded(errBusy.Error(), d.config.retryAfter)
	}
	return permit, nil
}
