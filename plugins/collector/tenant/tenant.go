// Package tenant knows who may do what: suites, their tokens (hashed), scopes
// and limits. The front door and the API ask the same Directory.
package tenant

import (
	"errors"
	"slices"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// The scopes of a token.
const (
	ScopeRead  = "read"
	ScopeWrite = "write"
)

// Why a request is refused. Their texts are what the client reads.
var (
	ErrNoToken  = errors.New(`no token was sent: set BUILDKITE_ANALYTICS_TOKEN, or send the header Authorization: Token token="..." (Token ... and Bearer ... are read too)`)
	ErrNoSuite  = errors.New("a test suite could not be found with the supplied API token: check the token, or make one with: connect-testengine suite add ORG/SUITE")
	ErrExpired  = errors.New("the token has expired: ask for a new one (connect-testengine suite add-token)")
	ErrScope    = errors.New("the token may not do this: it needs another scope (scopes in suites.yaml)")
	errEmptyKey = errors.New("naming a suite: organization and suite must not be empty")
)

// Suite is one entry of suites.yaml: the tests that report with one set of tokens.
type Suite struct {
	Organization  string
	Name          string
	DefaultBranch string
	// Public suites may be read without a token.
	Public bool
	// Anonymous suites take uploads with the token anonymous/ORG/SUITE, which is no
	// secret: for forks, whose builds are given none.
	Anonymous bool
	// OIDC lets tokens of issuers in.
	OIDC   []Policy
	Tokens []Token
	Limits Limits
	// Detection is the section of that name as JSON, or empty. The door passes it
	// into the log and reads nothing of it.
	Detection testengine.RawJSON
}

// Token is what is stored of a token: never the token itself.
type Token struct {
	Name   string
	Hash   Hash
	Scopes []string
	// Expires is the first moment at which the token is refused; zero is never.
	Expires time.Time
}

// Organization is what all suites of that name share.
type Organization struct {
	Name string
	// Weight is its share of a busy server; 1 is usual.
	Weight float64
	// UploadsPerMinute and BytesPerMinute bound what it may send; 0 is without limit.
	UploadsPerMinute, BytesPerMinute int64
}

// Limits bound a suite's uploads further than the door's own fields; 0 means the door's.
type Limits struct {
	BodyBytes    int64
	DecodedBytes int64
}

// Tenant is who a token speaks for.
type Tenant struct {
	Org           string
	Suite         string
	DefaultBranch string
	TokenName     string
	Scopes        []string
	Limits        Limits
	Organization  Organization
}

// May reports whether the token carries the scope.
func (t *Tenant) May(scope string) bool { return slices.Contains(t.Scopes, scope) }

// Directory finds the tenant of a token. It is safe for concurrent use and
// follows suites.yaml.
type Directory interface {
	// Lookup returns ErrNoToken, ErrNoSuite or ErrExpired when there is nobody.
	Lookup(token string) (Tenant, error)
	// Suites returns all suites in the order of the file. Do not change them.
	Suites() []Suite
}

// Authorize finds the tenant behind the Authorization header and checks that
// the token carries the scope. The tenant is returned with ErrScope too.
func Authorize(d Directory, header, scope string) (Tenant, error) {
	token, ok := ParseAuthorization(header)
	if !ok || d == nil {
		return Tenant{}, ErrNoToken
	}
	found, err := d.Lookup(token)
	if err != nil {
		return Tenant{}, err
	}
	if !found.May(scope) {
		return found, ErrScope
	}
	return found, nil
}
