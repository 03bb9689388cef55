package tenant

import (
	"errors"
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
	ErrAudience = errors.New("the OIDC token's audience names no suite of this server: ask for the audience BASE/organizations/ORG/analytics/suites/SUITE")
	ErrPolicy   = errors.New("no policy of the suite lets this OIDC token in: check issuer and claims (oidc in suites.yaml)")
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
	// Claims are those whose value is a text.
	Claims map[string]string
}

// Identify finds what a verified OIDC token may do.
func (t *Table) Identify(id Identity) (Tenant, error) {
	named := false
	for _, audience := range id.Audience {
		organization, name, ok := suiteOfAudience(audience)
		if !ok {
			continue
		}
		at := slices.IndexFunc(t.suites, func(s Suite) bool { return s.Organization == organization && s.Name == name })
		if at < 0 {
			continue
		}
		named = true
		for _, policy := range t.suites[at].OIDC {
			if policy.admits(id) {
				found := t.tenant(&t.suites[at])
				found.TokenName, found.Scopes = "oidc:"+id.Issuer, slices.Clone(policy.Scopes)
				return found, nil
			}
		}
	}
	if !named {
		return Tenant{}, ErrAudience
	}
	return Tenant{}, ErrPolicy
}

func (p *Policy) admits(id Identity) bool {
	if p.Issuer != id.Issuer {
		return false
	}
	for claim, values := range p.Claims {
		value, there := id.Claims[claim]
		if !there || !slices.Contains(values, value) {
			return false
		}
	}
	return true
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
