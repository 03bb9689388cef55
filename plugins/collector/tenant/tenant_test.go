package tenant

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseAuthorization(t *testing.T) {
	for _, test := range []struct{ name, header, token string }{
		{"most collectors quote", `Token token="abc"`, "abc"},
		{"bktec does not quote", `Token token=abc`, "abc"},
		{".NET sends it bare", `Token abc`, "abc"},
		{"ownership uploads are bearers", `Bearer abc`, "abc"},
		{"schemes have no case", `bearer abc`, "abc"},
		{"neither has the parameter", `token Token="abc"`, "abc"},
		{"space around it does not count", `  Token   token="abc" `, "abc"},
		{"a scheme alone is no token", `Token`, ""},
		{"an empty token is none", `Token token=""`, ""},
		{"passwords are not tokens", `Basic YTpi`, ""},
		{"nothing is no token", ``, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			token, ok := ParseAuthorization(test.header)
			require.Equal(t, test.token, token)
			require.Equal(t, test.token != "", ok)
		})
	}
}

func TestTokens(t *testing.T) {
	token := NewToken([TokenBytes]byte{0: 0xff, 19: 1})
	require.Equal(t, "te_zw000000000000000000000000000001", token)

	hash, err := ParseHash(HashToken(token).String())
	require.NoError(t, err)
	require.Equal(t, HashToken(token), hash)

	_, err = ParseHash(token)
	require.ErrorContains(t, err, "does not start with sha256:")
	require.NotContains(t, err.Error(), token, "a token written in place of its hash must not land in a log")
	_, err = ParseHash("sha256:12")
	require.ErrorContains(t, err, "64 hexadecimal digits")
}

// clock is a directory at a fixed moment.
type clock struct {
	*Table
	now time.Time
}

func (c clock) Lookup(token string) (Tenant, error) { return c.Table.Lookup(token, c.now) }

func TestAuthorize(t *testing.T) {
	noon := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	table, err := NewTable([]Suite{{
		Organization: "acme", Name: "api", DefaultBranch: "main",
		Tokens: []Token{
			{Name: "ci", Hash: HashToken("both"), Scopes: []string{ScopeWrite, ScopeRead}},
			{Name: "page", Hash: HashToken("reader"), Scopes: []string{ScopeRead}},
			{Name: "trial", Hash: HashToken("short"), Scopes: []string{ScopeWrite}, Expires: noon},
		},
	}})
	require.NoError(t, err)

	for _, test := range []struct {
		name, header string
		now          time.Time
		want         error
	}{
		{"a token with the scope passes", "Bearer both", noon, nil},
		{"a token without the scope does not", "Bearer reader", noon, ErrScope},
		{"an unknown token finds no suite", "Bearer other", noon, ErrNoSuite},
		{"no header is no token", "", noon, ErrNoToken},
		{"a token lives until it expires", "Bearer short", noon.Add(-time.Nanosecond), nil},
		{"a token is refused from that moment on", "Bearer short", noon, ErrExpired},
	} {
		t.Run(test.name, func(t *testing.T) {
			found, err := Authorize(clock{table, test.now}, test.header, ScopeWrite)
			require.ErrorIs(t, err, test.want)
			if test.want == nil {
				require.Equal(t, "acme", found.Org)
				require.Equal(t, "api", found.Suite)
			}
		})
	}
	_, err = Authorize(nil, "Bearer both", ScopeWrite)
	require.ErrorIs(t, err, ErrNoToken, "without a directory nobody is let in")
}

func TestNewTableRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		suites []Suite
		says   string
	}{
		{"a suite named twice", []Suite{{Organization: "a", Name: "b"}, {Organization: "a", Name: "b"}}, "a/b stands there twice"},
		{"two tokens of a suite with one name", []Suite{
			{Organization: "a", Name: "b", Tokens: []Token{{Name: "x", Hash: HashToken("1")}, {Name: "x", Hash: HashToken("2")}}},
		}, `a/b has two tokens named "x"`},
		{"a suite without a name", []Suite{{Organization: "a"}}, "must not be empty"},
		{"a token of two suites", []Suite{
			{Organization: "a", Name: "b", Tokens: []Token{{Name: "x", Hash: HashToken("t")}}},
			{Organization: "a", Name: "c", Tokens: []Token{{Name: "y", Hash: HashToken("t")}}},
		}, `token "y" of a/c is also token "x" of a/b`},
		{"a scope nobody knows", []Suite{
			{Organization: "a", Name: "b", Tokens: []Token{{Name: "x", Scopes: []string{"admin"}}}},
		}, `has the scope "admin"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := NewTable(test.suites)
			require.ErrorContains(t, err, test.says)
		})
	}
}
