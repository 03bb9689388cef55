package collector

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
)

const twoSuites = `# Ours.
suites:
  - organization: acme
    suite: api # the first
    tokens:
      - name: ci
        hash: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
        scopes: [write]
      # read by the page
      - {name: page, hash: "sha256:1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}
    limits: {body: 8MiB}
  - organization: acme
    suite: web
    default_branch: trunk
`

func TestATokenIsReplacedWithoutAGap(t *testing.T) {
	file := filepath.Join(t.TempDir(), "suites.yaml")
	require.NoError(t, os.WriteFile(file, []byte(twoSuites), 0o600))
	expires := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	for _, name := range []string{"api", "web"} {
		token, err := AddToken(file, NewSuiteToken{Organization: "acme", Suite: name, Name: "ci-2027", Scopes: []string{"write", "read"}, Expires: expires}, expires.Add(-time.Hour))
		require.NoError(t, err)
		table := tableOf(t, file)
		who, err := table.Lookup(token, expires.Add(-time.Second))
		require.NoError(t, err)
		require.Equal(t, []string{name, "ci-2027"}, []string{who.Suite, who.TokenName})
		_, err = table.Lookup(token, expires)
		require.ErrorIs(t, err, tenant.ErrExpired)
	}
	_, err := AddToken(file, NewSuiteToken{Organization: "acme", Suite: "api", Name: "ci", Scopes: []string{"write"}}, expires)
	require.ErrorContains(t, err, `it has a token "ci" already`)
	_, err = AddToken(file, NewSuiteToken{Organization: "acme", Suite: "api", Name: "late", Expires: expires}, expires)
	require.ErrorContains(t, err, "it would have expired on 2027-01-31T00:00:00Z already")

	require.NoError(t, RemoveToken(file, "acme", "api", "ci"))
	require.NoError(t, RemoveToken(file, "acme", "api", "page"))
	require.ErrorContains(t, RemoveToken(file, "acme", "api", "ci"), `it has no token "ci"`)
	require.ErrorContains(t, RemoveToken(file, "acme", "none", "ci"), "it is not there")
	require.Len(t, tableOf(t, file).Suites()[0].Tokens, 1)
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, kept := range []string{"# Ours.", "suite: api # the first", "# read by the page", "limits: {body: 8MiB}", "default_branch: trunk"} {
		require.Contains(t, string(raw), kept)
	}
}

func tableOf(t *testing.T, file string) *tenant.Table {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	suites, organizations, err := parseSuites(raw)
	require.NoError(t, err)
	table, err := tenant.NewTable(suites, organizations...)
	require.NoError(t, err)
	return table
}
