package tenant

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Policy lets bearers of OIDC tokens of one issuer in (protocol: the suite's
// token policy of Buildkite's OIDC documentation).
type Policy struct {
	Issuer string
	// Claims must all hold: the claim is one of the values.
	Claims map[string][]string
	Scopes []string
}

// Errors about OIDC tokens.
var (
	ErrAudience    = errors.New("the OIDC token's audience names no suite of this server: ask for the audience BASE/organizations/ORG/analytics/suites/SUITE")
	ErrPolicy      = errors.New("no policy of the suite lets this OIDC token in: check issuer and claims (oidc in suites.yaml)")
	ErrOIDCExpired = errors.New("the OIDC token has expired: ask for a new one just before the upload")
	ErrOIDCForged  = errors.New("the OIDC token is not signed by its issuer, or not valid yet: check this machine's clock, and where the token comes from")
)

// LooksLikeJWT says whether a token may be an OIDC token: three parts with dots between.
func LooksLikeJWT(token string) bool {
	return strings.HasPrefix(token, "eyJ") && strings.Count(token, ".") == 2
}

// suiteOfAudience reads organisation and suite out of an audience, as
// buildkite-agent is told to ask for it (…/organizations/ORG/analytics/suites/SUITE)
// or as bktec does (…/v2/analytics/organizations/ORG/suites/SUITE).
func suiteOfAudience(audience string) (organization, suite string, ok bool) {
	_, path, found := strings.Cut(audience, "/organizations/")
	if !found {
		return "", "", false
	}
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	switch {
	case len(parts) == 4 && parts[1] == "analytics" && parts[2] == "suites":
		return parts[0], parts[3], parts[0] != "" && parts[3] != ""
	case len(parts) == 3 && parts[1] == "suites":
		return parts[0], parts[2], parts[0] != "" && parts[2] != ""
	}
	return "", "", false
}

// Identity is a verified OIDC token.
type Identity struct {
	Issuer   string
	Audience []string
	// Claims are those whose value is a text, a number or true or false, as text.
	Claims map[string]string
}

// Identify finds what a verified OIDC token may do.
func (t *Table) Identify(id Identity) (Tenant, error) {
	refused := ErrAudience
	for _, audience := range id.Audience {
		organization, name, ok := suiteOfAudience(audience)
		if !ok {
			continue
		}
		at := slices.IndexFunc(t.suites, func(s Suite) bool { return s.Organization == organization && s.Name == name })
		if at < 0 {
			continue
		}
		if refused == ErrAudience { //nolint:errorlint // whether it is still the first
			refused = ErrPolicy
		}
		for _, policy := range t.suites[at].OIDC {
			if policy.Issuer != id.Issuer {
				continue
			}
			if claim, unlike := policy.unlike(id); unlike {
				refused = fmt.Errorf("%w: its claim %s is not there or has another value", ErrPolicy, claim)
				continue
			}
			found := t.tenant(&t.suites[at])
			found.TokenName, found.Scopes = "oidc:"+id.Issuer, slices.Clone(policy.Scopes)
			return found, nil
		}
	}
	return Tenant{}, refused
}

// unlike is the first claim, by name, that a token of the policy's issuer does not have as the policy wants it.
func (p *Policy) unlike(id Identity) (claim string, unlike bool) {
	for _, claim := range slices.Sorted(maps.Keys(p.Claims)) {
		if value, there := id.Claims[claim]; !there || !slices.Contains(p.Claims[claim], value) {
			return claim, true
		}
	}
	return "", false
}

// Issuers are all that some policy names: no other's keys are ever fetched.
func (t *Table) Issuers() []string {
	var issuers []string
	for i := range t.suites {
		for _, policy := range t.suites[i].OIDC {
			if !slices.Contains(issuers, policy.Issuer) {
				issuers = append(issuers, policy.Issuer)
			}
		}
	}
	return issuers
}
