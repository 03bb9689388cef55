package collector

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
)

// issuer is an OIDC issuer with a key of its own.
type issuer struct {
	*httptest.Server
	key  *rsa.PrivateKey
	asks atomic.Int64
}

func openIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	i := &issuer{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": i.URL, "jwks_uri": i.URL + "/keys", "authorization_endpoint": i.URL + "/a", "token_endpoint": i.URL + "/t",
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		i.asks.Add(1)
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "RS256", Use: "sig"}}})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

// token signs claims; those given replace the usual ones.
func (i *issuer) token(t *testing.T, claims map[string]any) string {
	t.Helper()
	all := map[string]any{
		"iss": i.URL, "aud": "https://tests.example/organizations/acme/analytics/suites/api", "sub": "job",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		"organization_slug": "acme", "pipeline_slug": "web", "build_number": 812, "fork": false,
	}
	maps.Copy(all, claims)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: i.key, KeyID: "1"}}, nil)
	require.NoError(t, err)
	token, err := jwt.Signed(signer).Claims(all).Serialize()
	require.NoError(t, err)
	return token
}

// openTenants opens a door whose suites file has more than usual in it.
func openTenants(t *testing.T, more, inputYAML string) *house {
	t.Helper()
	dir := t.TempDir()
	h := &house{t: t, suites: filepath.Join(dir, "suites.yaml"), data: filepath.Join(dir, "data")}
	require.NoError(t, os.WriteFile(h.suites, []byte(more), 0o600))
	h.open("", "suites_file: "+h.suites+"\ndata: "+h.data+"\n"+inputYAML)
	return h
}

func (h *house) uploadAs(t *testing.T, token, executions string) reply {
	t.Helper()
	return h.send(t, bytes.NewReader(body(executions)), "Authorization", `Token token="`+token+`"`, "Content-Type", "application/json")
}

func TestOIDCTokensAreLetInByTheSuitesPolicy(t *testing.T) {
	good, other := openIssuer(t), openIssuer(t)
	h := openTenants(t, `
suites:
  - organization: acme
    suite: api
    oidc:
      - iss: "`+good.URL+`"
        claims: {organization_slug: acme, pipeline_slug: {in: [api, web]}, build_number: 812, fork: false}
        scopes: [write_uploads, read_suites, read_test_plan, write_test_plan]
  - organization: acme
    suite: page
    oidc:
      - iss: "`+good.URL+`"
        claims: {organization_slug: acme}
        scopes: [read_suites]
`, "")
	for _, c := range []struct {
		name   string
		token  string
		status int
		says   string
	}{
		{"issuer, audience and claims are those of the policy", good.token(t, nil), 202, ""},
		{"bktec's audience names the suite too", good.token(t, map[string]any{"aud": "https://tests.example/v2/analytics/organizations/acme/suites/api"}), 202, ""},
		{"a claim has another value", good.token(t, map[string]any{"pipeline_slug": "docs"}), 401, "its claim pipeline_slug is not there or has another value"},
		{"a claim is missing", good.token(t, map[string]any{"organization_slug": nil}), 401, "its claim organization_slug is not there"},
		{"a claim that is a number has another", good.token(t, map[string]any{"build_number": 813}), 401, "its claim build_number is not there or has another value"},
		{"a claim that is true or false has another", good.token(t, map[string]any{"fork": true}), 401, "its claim fork is not there or has another value"},
		{"it is not valid yet", good.token(t, map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}), 401, "not valid yet: check this machine's clock"},
		{"the audience names no suite", good.token(t, map[string]any{"aud": "https://tests.example"}), 401, "audience names no suite"},
		{"the audience names another suite", good.token(t, map[string]any{"aud": "x/organizations/acme/analytics/suites/none"}), 401, "audience names no suite"},
		{"it has expired", good.token(t, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}), 401, "has expired: ask for a new one"},
		{"an issuer that no policy names is never asked", other.token(t, nil), 401, "check issuer and claims"},
		{"it is signed by somebody else", other.token(t, map[string]any{"iss": good.URL}), 401, "not signed by its issuer"},
		{"the policy gives no right to write", good.token(t, map[string]any{"aud": "x/organizations/acme/analytics/suites/page"}), 403, "may not send uploads"},
		{"it is no token at all", "eyJhbGciOiJub25lIn0.e30.", 401, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := h.uploadAs(t, c.token, oneExecution)
			require.Equal(t, c.status, answer.status)
			require.Contains(t, answer.body, c.says)
		})
	}
	require.Zero(t, other.asks.Load())
	require.LessOrEqual(t, good.asks.Load(), int64(2), "keys are remembered")
	token := good.token(t, nil)
	require.Equal(t, 202, h.uploadAs(t, token, oneExecution).status)
	good.CloseClientConnections()
	require.Equal(t, 202, h.uploadAs(t, token, oneExecution).status, "a verified token is remembered until it expires")
}

// A token that names a key nobody knows makes the library ask for keys: that must not be a way to have the issuer asked a thousand times.
func TestForgedTokensDoNotMakeTheIssuerBeAskedEachTime(t *testing.T) {
	good, other := openIssuer(t), openIssuer(t)
	h := openTenants(t, `
suites:
  - {organization: acme, suite: api, oidc: [{iss: "`+good.URL+`", claims: {organization_slug: acme}}]}
`, "")
	began := time.Now()
	for i := range 50 {
		require.Equal(t, 401, h.uploadAs(t, other.token(t, map[string]any{"iss": good.URL, "n": i}), oneExecution).status)
	}
	require.LessOrEqual(t, good.asks.Load(), int64(time.Since(began)/keysGoodFor)+2)
	require.Equal(t, 202, h.uploadAs(t, good.token(t, nil), oneExecution).status)
}

func TestAnIssuerThatIsAwayIsAReasonToTryAgain(t *testing.T) {
	gone := openIssuer(t)
	h := openTenants(t, `
suites:
  - {organization: acme, suite: api, oidc: [{iss: "`+gone.URL+`", claims: {organization_slug: acme}}]}
`, "")
	token := gone.token(t, nil)
	gone.Close()
	answer := h.uploadAs(t, token, oneExecution)
	require.Equal(t, 503, answer.status)
	require.NotEmpty(t, answer.header.Get("Retry-After"))
}

func TestAnonymousSuites(t *testing.T) {
	h := openTenants(t, `
suites:
  - {organization: acme, suite: forks, anonymous: true}
  - {organization: acme, suite: api}
`, "")
	require.Equal(t, 202, h.uploadAs(t, "anonymous/acme/forks", oneExecution).status)
	require.Equal(t, 401, h.uploadAs(t, "anonymous/acme/api", oneExecution).status)
	require.Equal(t, 401, h.uploadAs(t, "anonymous/acme/none", oneExecution).status)
}

func TestAQuotaIsAnsweredWithTheTimeToWait(t *testing.T) {
	h := openTenants(t, `
organizations:
  - {organization: acme, weight: 2, quota: {uploads_per_minute: 2}}
suites:
  - {organization: acme, suite: api, tokens: [{name: ci, hash: "`+tenant.HashToken("a").String()+`"}]}
  - {organization: other, suite: api, tokens: [{name: ci, hash: "`+tenant.HashToken("b").String()+`"}]}
`, "")
	for _, want := range []int{202, 202, 429} {
		answer := h.uploadAs(t, "a", strings.Repeat(oneExecution+",", want%10)+oneExecution)
		require.Equal(t, want, answer.status)
		if want == 429 {
			require.Equal(t, answer.header.Get("Retry-After"), answer.header.Get("RateLimit-Reset"))
			require.NotEmpty(t, answer.header.Get("RateLimit-Reset"))
			require.Contains(t, answer.message(t), "organization acme has sent more than its quota allows")
		}
	}
	require.Equal(t, 202, h.uploadAs(t, "b", oneExecution).status, "the quota of one is not that of another")
}

func TestGuessingTokensIsLimitedAndDisturbsNobodyWhoHasOne(t *testing.T) {
	h := openHouse(t, "", "max_wrong_tokens: 3")
	var statuses []int
	for range 5 {
		statuses = append(statuses, h.uploadAs(t, "guess", oneExecution).status)
	}
	require.Equal(t, []int{401, 401, 401, 429, 429}, statuses)
	require.Equal(t, 202, h.uploadAs(t, writeToken, oneExecution).status)
}

func TestWhenATokenWasUsedIsRemembered(t *testing.T) {
	h := openHouse(t, "", "")
	require.Equal(t, 202, h.uploadAs(t, writeToken, oneExecution).status)
	uses := h.input.door.directory.Load().lastUses()
	require.Contains(t, uses, "acme/api ci")
	require.WithinDuration(t, time.Now(), uses["acme/api ci"], 10*time.Second)
	h.input.suites.keepUses()
	kept, err := recall(h.data)
	require.NoError(t, err)
	require.Equal(t, uses, kept.TokenUses)
}

func TestPoliciesThatAreRefused(t *testing.T) {
	for _, c := range []struct{ oidc, says string }{
		{`[{iss: "http://ci.example", claims: {a: b}}]`, "a policy needs the issuer's https address"},
		{`[{iss: "https://ci.example"}]`, "name at least one"},
		{`[{iss: "https://ci.example", claims: {a: {in: []}}}]`, "claims.a: a text or {in: [texts]} is expected"},
		{`[{iss: "https://ci.example", claims: {a: b}, scopes: [admin]}]`, `"admin" is no scope`},
	} {
		_, _, err := parseSuites([]byte("suites:\n  - {organization: a, suite: b, oidc: " + c.oidc + "}\n"))
		require.ErrorContains(t, err, c.says)
	}
	for _, c := range []struct{ file, says string }{
		{"organizations: [{organization: a, weight: 0}]", "weight: a number from 0.001 to 1000 is expected"},
		{"organizations: [{organization: a, weight: .inf}]", "weight: a number from 0.001 to 1000 is expected"},
		{"organizations: [{organization: a, weight: .nan}]", "weight: a number from 0.001 to 1000 is expected"},
		{"organizations: [{organization: a, quota: {uploads_per_minute: 0}}]", "quota.uploads_per_minute: a whole number above 0 is expected"},
		{"organizations: [{organization: a, quota: {bytes_per_minute: 0}}]", "quota.bytes_per_minute: it must be above 0"},
		{"suites: [{organization: a, suite: b, limits: {body: 0}}]", "limits.body: it must be above 0"},
	} {
		_, _, err := parseSuites([]byte(c.file))
		require.ErrorContains(t, err, c.says)
	}
}
