package collector

import (
	"fmt"

	"github.com/connect-testengine/connect-testengine/plugins/collector/answer"
	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
)

// quickstart is the suite that exists without anybody writing a file.
type quickstart struct {
	organization  string
	suite         string
	defaultBranch string
	token         string
}

// open returns the suite and what to tell the user. The token is shown when it
// is made and never again: only its hash is kept.
func (q *quickstart) open(m *memory, base string) (suite tenant.Suite, tell string, err error) {
	name := q.organization + "/" + q.suite
	var hash tenant.Hash
	switch {
	case q.token != "":
		hash = tenant.HashToken(q.token)
	case m.QuickstartToken != "":
		if hash, err = tenant.ParseHash(m.QuickstartToken); err != nil {
			return suite, "", fmt.Errorf("reading %s: %w", m.file, err)
		}
		tell = fmt.Sprintf("Suite %s keeps the token shown at the first start. Lost it? Take quickstart_token out of %s and start again, or set TESTENGINE_TOKEN.\n", name, m.file)
	default:
		token, err := freshToken()
		if err != nil {
			return suite, "", err
		}
		hash = tenant.HashToken(token)
		m.QuickstartToken = hash.String()
		if err := m.keep(); err != nil {
			return suite, "", fmt.Errorf("keeping the quickstart's token: %w", err)
		}
		tell = fmt.Sprintf("\nSuite %s is ready. Its token is shown this once; paste into CI:\n\n%s\nThe page: %s\n\n",
			name, answer.Variables(base, token), base)
	}
	return tenant.Suite{
		Organization: q.organization, Name: q.suite, DefaultBranch: q.defaultBranch,
		Tokens: []tenant.Token{{Name: "quickstart", Hash: hash, Scopes: []string{tenant.ScopeWrite, tenant.ScopeRead}}},
	}, tell, nil
}
