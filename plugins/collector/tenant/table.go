package tenant

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Table answers lookups from one reading of suites.yaml. It is immutable.
type Table struct {
	suites        []Suite
	tokens        map[Hash]entry
	organizations map[string]Organization
}

type entry struct {
	tenant  Tenant
	expires time.Time
}

// NewTable indexes suites by the hashes of their tokens. A suite or a token
// that stands there twice is refused, since it would not be clear who is meant.
func NewTable(suites []Suite, organizations ...Organization) (*Table, error) {
	t := &Table{suites: suites, tokens: make(map[Hash]entry, len(suites)), organizations: map[string]Organization{}}
	for _, organization := range organizations {
		if _, twice := t.organizations[organization.Name]; twice {
			return nil, fmt.Errorf("reading organizations: %s stands there twice", organization.Name)
		}
		t.organizations[organization.Name] = organization
	}
	seen := make(map[[2]string]bool, len(suites))
	for i := range suites {
		suite := &suites[i]
		if suite.Organization == "" || suite.Name == "" {
			return nil, errEmptyKey
		}
		key := [2]string{suite.Organization, suite.Name}
		if seen[key] {
			return nil, fmt.Errorf("reading suites: %s/%s stands there twice", suite.Organization, suite.Name)
		}
		seen[key] = true
		if err := t.add(suite); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *Table) add(suite *Suite) error {
	for i, token := range suite.Tokens {
		if token.Name != "" && slices.ContainsFunc(suite.Tokens[:i], func(before Token) bool { return before.Name == token.Name }) {
			return fmt.Errorf("reading suites: %s/%s has two tokens named %q: last uses and remove-token go by names", suite.Organization, suite.Name, token.Name)
		}
		if other, taken := t.tokens[token.Hash]; taken {
			return fmt.Errorf("reading suites: token %q of %s/%s is also token %q of %s/%s",
				token.Name, suite.Organization, suite.Name, other.tenant.TokenName, other.tenant.Org, other.tenant.Suite)
		}
		for _, scope := range token.Scopes {
			if scope != ScopeRead && scope != ScopeWrite {
				return fmt.Errorf("reading suites: token %q of %s/%s has the scope %q; scopes are %s and %s",
					token.Name, suite.Organization, suite.Name, scope, ScopeRead, ScopeWrite)
			}
		}
		t.tokens[token.Hash] = entry{
			expires: token.Expires,
			tenant:  t.tenant(suite),
		}
		named := t.tokens[token.Hash]
		named.tenant.TokenName, named.tenant.Scopes = token.Name, slices.Clone(token.Scopes)
		t.tokens[token.Hash] = named
	}
	return nil
}

// tenant is who speaks for the suite, without token and scopes.
func (t *Table) tenant(suite *Suite) Tenant {
	organization, known := t.organizations[suite.Organization]
	if !known {
		organization = Organization{Name: suite.Organization, Weight: 1}
	}
	return Tenant{
		Org: suite.Organization, Suite: suite.Name, DefaultBranch: suite.DefaultBranch,
		Limits: suite.Limits, Organization: organization,
	}
}

// anonymousPrefix begins the token of suites that take uploads from everybody.
const anonymousPrefix = "anonymous/"

// anonymous finds the suite that such a token names.
func (t *Table) anonymous(token string) (Tenant, error) {
	organization, name, _ := strings.Cut(strings.TrimPrefix(token, anonymousPrefix), "/")
	for i := range t.suites {
		if suite := &t.suites[i]; suite.Anonymous && suite.Organization == organization && suite.Name == name {
			found := t.tenant(suite)
			found.TokenName, found.Scopes = "anonymous", []string{ScopeWrite}
			return found, nil
		}
	}
	return Tenant{}, ErrNoSuite
}

// Lookup finds who a token speaks for at a moment. The map is keyed by the
// token's SHA-256, so its timing tells nothing about tokens.
func (t *Table) Lookup(token string, now time.Time) (Tenant, error) {
	if token == "" {
		return Tenant{}, ErrNoToken
	}
	if strings.HasPrefix(token, anonymousPrefix) {
		return t.anonymous(token)
	}
	found, ok := t.tokens[HashToken(token)]
	if !ok {
		return Tenant{}, ErrNoSuite
	}
	if !found.expires.IsZero() && !now.Before(found.expires) {
		return Tenant{}, ErrExpired
	}
	return found.tenant, nil
}

// Suites returns the suites in the order of the file.
func (t *Table) Suites() []Suite { return t.suites }
