package collector

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
)

const (
	// issuerTimeout bounds one question to an issuer.
	issuerTimeout = 5 * time.Second
	// verifiedTokens is how many verified tokens are remembered until they expire.
	verifiedTokens = 10_000
	// failedIssuerPause is how long an issuer that did not answer is left alone.
	failedIssuerPause = 10 * time.Second
)

// errIssuer says that an issuer's keys could not be had: the token may be right.
var errIssuer = errors.New("the keys of the token's issuer cannot be had")

// oidcTokens verifies OIDC tokens against the keys of issuers that a policy of
// the suites file names. No other issuer is ever asked.
type oidcTokens struct {
	now     func() time.Time
	issuers func() []string
	client  *http.Client

	mu        sync.Mutex
	verifiers map[string]*oidc.IDTokenVerifier
	failed    map[string]time.Time
	verified  map[[sha256.Size]byte]verifiedToken
}

type verifiedToken struct {
	identity tenant.Identity
	expires  time.Time
}

func newOIDCTokens(issuers func() []string, now func() time.Time) *oidcTokens {
	return &oidcTokens{
		now: now, issuers: issuers, client: &http.Client{Transport: newSeldom(now), Timeout: issuerTimeout},
		verifiers: map[string]*oidc.IDTokenVerifier{}, failed: map[string]time.Time{}, verified: map[[sha256.Size]byte]verifiedToken{},
	}
}

// verify checks signature, issuer and times of a token.
func (o *oidcTokens) verify(ctx context.Context, token string) (tenant.Identity, error) {
	hash := sha256.Sum256([]byte(token))
	o.mu.Lock()
	known, found := o.verified[hash]
	o.mu.Unlock()
	if found && o.now().Before(known.expires) {
		return known.identity, nil
	}
	issuer := issuerOf(token)
	if !slices.Contains(o.issuers(), issuer) {
		return tenant.Identity{}, tenant.ErrPolicy
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, o.client), issuerTimeout)
	defer cancel()
	verifier, err := o.verifier(ctx, issuer)
	if err != nil {
		return tenant.Identity{}, fmt.Errorf("%w: %w", errIssuer, err)
	}
	checked, err := verifier.Verify(ctx, token)
	if _, expired := errors.AsType[*oidc.TokenExpiredError](err); expired {
		return tenant.Identity{}, tenant.ErrOIDCExpired
	}
	if err != nil {
		return tenant.Identity{}, tenant.ErrOIDCForged
	}
	identity, err := identityOf(checked)
	if err != nil {
		return tenant.Identity{}, tenant.ErrOIDCForged
	}
	o.remember(hash, verifiedToken{identity, checked.Expiry})
	return identity, nil
}

func (o *oidcTokens) remember(hash [sha256.Size]byte, token verifiedToken) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.verified) >= verifiedTokens {
		now := o.now()
		for old, t := range o.verified {
			if len(o.verified) > verifiedTokens/2 || !now.Before(t.expires) {
				delete(o.verified, old)
			}
		}
	}
	o.verified[hash] = token
}

// verifier finds an issuer's keys; the library follows their rotation.
func (o *oidcTokens) verifier(ctx context.Context, issuer string) (*oidc.IDTokenVerifier, error) {
	o.mu.Lock()
	verifier, at := o.verifiers[issuer], o.failed[issuer]
	o.mu.Unlock()
	if verifier != nil {
		return verifier, nil
	}
	if o.now().Sub(at) < failedIssuerPause {
		return nil, errors.New("it did not answer a moment ago")
	}
	// The provider keeps the context for later questions: only values may go along.
	provider, err := askIssuer(ctx, issuer)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.failed[issuer] = o.now()
		return nil, err
	}
	// The audience names the suite: the policy checks it.
	verifier = provider.VerifierContext(context.WithoutCancel(ctx), &oidc.Config{SkipClientIDCheck: true, Now: o.now})
	o.verifiers[issuer] = verifier
	delete(o.failed, issuer)
	return verifier, nil
}

func askIssuer(ctx context.Context, issuer string) (*oidc.Provider, error) {
	type answer struct {
		provider *oidc.Provider
		err      error
	}
	answers := make(chan answer, 1)
	go func() {
		provider, err := oidc.NewProvider(context.WithoutCancel(ctx), issuer)
		answers <- answer{provider, err}
	}()
	select {
	case a := <-answers:
		return a.provider, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// issuerOf reads the issuer a token claims, before anything of it is believed.
func issuerOf(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	_ = json.Unmarshal(raw, &claims)
	return claims.Issuer
}

func identityOf(token *oidc.IDToken) (tenant.Identity, error) {
	var claims map[string]json.RawMessage
	if err := token.Claims(&claims); err != nil {
		return tenant.Identity{}, err
	}
	identity := tenant.Identity{Issuer: token.Issuer, Audience: token.Audience, Claims: map[string]string{}}
	for claim, raw := range claims {
		var text string
		switch {
		case json.Unmarshal(raw, &text) == nil && string(raw) != "null":
			identity.Claims[claim] = text
		case !strings.ContainsAny(string(raw[:1]), `[{n`): // a number, true or false: as it is written
			identity.Claims[claim] = string(raw)
		}
	}
	return identity, nil
}
