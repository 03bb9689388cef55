package collector

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func TestParseSuites(t *testing.T) {
	suites, _, err := parseSuites([]byte(`
suites:
  - organization: acme
    suite: api
    public: true
    tokens:
      - name: ci
        hash: ` + tenant.HashToken("t").String() + `
        scopes: [read]
        expires: 2027-01-31
    limits: {body: 8MiB, decoded: 64MiB}
    detection: {variant_tags: [host.os], run_idle: 5m, healing: {min_runs: 7}}
`))
	require.NoError(t, err)
	require.Equal(t, []tenant.Suite{{
		Organization: "acme", Name: "api", DefaultBranch: "main", Public: true,
		Tokens: []tenant.Token{{
			Name: "ci", Hash: tenant.HashToken("t"), Scopes: []string{"read"},
			Expires: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC),
		}},
		Limits:    tenant.Limits{BodyBytes: 8 << 20, DecodedBytes: 64 << 20},
		Detection: `{"healing":{"min_runs":7},"run_idle_ms":300000,"variant_tags":["host.os"]}`,
	}}, suites)
}

func TestParseSuitesSaysWhere(t *testing.T) {
	hash := tenant.HashToken("t").String()
	for _, test := range []struct{ name, file, says string }{
		{"a misspelt field", "suites:\n  - organization: a\n    suit: b\n", "line 3: suit: a suite has no such field; it has anonymous, default_branch, detection"},
		{"a misspelt field of a token", "suites:\n  - suite: b\n    tokens:\n      - expire: 1\n", "line 4: expire: a token has no such field"},
		{"no organization", "suites:\n  - suite: b\n", "line 2: organization: it must not be empty"},
		{"a name with a slash", "suites:\n  - organization: a\n    suite: b/c\n", `line 2: suite: "b/c" must be`},
		{"a token in place of its hash", "suites:\n  - organization: a\n    suite: b\n    tokens: [{hash: te_0123456789abcdef}]\n", `line 4: hash: reading a token's hash: "te_012345678..." does not start`},
		{"a token without hash", "suites:\n  - organization: a\n    suite: b\n    tokens: [{name: x}]\n", "line 4: hash: a token needs one"},
		{"a scope nobody knows", "suites:\n  - organization: a\n    suite: b\n    tokens: [{hash: '" + hash + "', scopes: [all]}]\n", `line 4: scopes: "all" is no scope`},
		{"no date", "suites:\n  - organization: a\n    suite: b\n    tokens: [{hash: '" + hash + "', expires: soon}]\n", `line 4: expires: "soon" is neither`},
		{"no size", "suites:\n  - organization: a\n    suite: b\n    limits: {body: big}\n", `line 4: limits.body: "big" is no size`},
		{"a detection field nobody knows", "suites:\n  - organization: a\n    suite: b\n    detection: {variant_tag: [x]}\n", "line 4: detection: variant_tag: there is no such field; there are broken_test"},
		{"no list", "suites: {a: b}\n", "line 1: suites: a list is expected"},
		{"a field twice", "suites:\n  - organization: a\n    organization: b\n", "line 3"},
		{"no YAML", "suites: [", "line 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := parseSuites([]byte(test.file))
			require.ErrorContains(t, err, test.says)
		})
	}
	for _, nothing := range []string{"", "# only a comment\n", "suites:\n", "suites: []\n"} {
		suites, _, err := parseSuites([]byte(nothing))
		require.NoError(t, err)
		require.Empty(t, suites)
	}
}

func TestAddSuite(t *testing.T) {
	shipped, err := os.ReadFile("../../config/suites.yaml")
	require.NoError(t, err)
	for _, test := range []struct{ name, before string }{
		{"to the file that is shipped", string(shipped)},
		{"to no file", ""},
		{"to an empty list with a comment", "# mine\nsuites: [] # none yet\n"},
		{"to a list without end of line", "suites:\n- organization: x # first\n  suite: y"},
		{"to a list that is indented", "suites:\n    - organization: x\n      suite: y\n\n# the end\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config", "suites.yaml")
			if test.before != "" {
				require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
				require.NoError(t, os.WriteFile(file, []byte(test.before), 0o600))
			}
			token, err := AddSuite(file, NewSuite{"acme", "api", "main", []string{"write", "read"}})
			require.NoError(t, err)
			_, err = AddSuite(file, NewSuite{"acme", "web", "*weird: branch", []string{"write"}})
			require.NoError(t, err)
			_, err = AddSuite(file, NewSuite{"acme", "api", "main", []string{"write"}})
			require.ErrorContains(t, err, "acme/api is there already")

			after, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NotContains(t, string(after), token)
			for line := range strings.Lines(test.before) {
				if strings.Contains(line, "#") && !strings.HasPrefix(line, "suites:") {
					require.Contains(t, string(after), line, "comments stay")
				}
			}
			suites, _, err := parseSuites(after)
			require.NoError(t, err)
			table, err := tenant.NewTable(suites)
			require.NoError(t, err)
			found, err := table.Lookup(token, time.Now())
			require.NoError(t, err)
			require.Equal(t, "api", found.Suite)
			require.Equal(t, []string{"write", "read"}, found.Scopes)
			require.Equal(t, "*weird: branch", suites[len(suites)-1].DefaultBranch)
		})
	}
	_, err = AddSuite(filepath.Join(t.TempDir(), "s.yaml"), NewSuite{"acme", "a b", "main", nil})
	require.ErrorContains(t, err, "is not ORG/SUITE")
	_, err = AddSuite(filepath.Join(t.TempDir(), "s.yaml"), NewSuite{"acme", "api", "main", []string{"all"}})
	require.ErrorContains(t, err, `"all" is no scope`)
}

func TestTokensReloadAndABrokenFileChangesNothing(t *testing.T) {
	h := openHouse(t, "", "reload_every: 2ms\n")
	status := func(token string) int {
		return h.upload(t, body(""), "Authorization", "Bearer "+token).status
	}
	require.Equal(t, 202, status(writeToken))
	require.NoError(t, os.WriteFile(h.suites, []byte("suites: [{organization: acme"), 0o600))
	for range 20 { // looks at the file go on meanwhile
		require.Equal(t, 202, status(writeToken))
	}
	require.Equal(t, 202, status(writeToken), "a broken file leaves the tokens as they were")
	require.NoError(t, os.WriteFile(h.suites, nil, 0o600))
	require.NoError(t, os.Remove(h.suites))
	fresh, err := AddSuite(h.data+".yaml", NewSuite{"acme", "new", "main", []string{"write"}})
	require.NoError(t, err)
	require.Equal(t, 202, status(writeToken), "so does a file that is gone")

	require.NoError(t, os.Rename(h.data+".yaml", h.suites))
	require.Eventually(t, func() bool { return status(fresh) == 202 }, 5*time.Second, 5*time.Millisecond)
	require.Equal(t, 401, status(writeToken), "a token that is gone is gone")
}

func changes(t *testing.T, messages []*service.Message) (bodies []string) {
	t.Helper()
	for _, m := range messages {
		if message.Kind(m) != testengine.KindChange {
			continue
		}
		change, err := message.Get[testengine.Change](m)
		require.NoError(t, err)
		require.Equal(t, "detection", change.Type)
		require.Equal(t, "api", message.Text(m, testengine.MetaSuite))
		_, timed := message.Int(m, testengine.MetaReceivedAt)
		require.True(t, timed)
		bodies = append(bodies, string(change.Body))
	}
	return bodies
}

func TestDetectionSectionsEnterTheLogOnce(t *testing.T) {
	h := openHouse(t, "", "reload_every: 2ms\n")
	write := func(section string) {
		suites := strings.Replace(suitesForTests, "    default_branch: trunk\n", "    default_branch: trunk\n"+section, 1)
		require.NoError(t, os.WriteFile(h.suites+".new", []byte(suites), 0o600))
		require.NoError(t, os.Rename(h.suites+".new", h.suites))
	}
	want := func(bodies ...string) {
		t.Helper()
		require.Eventually(t, func() bool { return len(changes(t, h.messages())) == len(bodies) }, 5*time.Second, 2*time.Millisecond)
		require.Equal(t, bodies, changes(t, h.messages()))
	}
	write("    detection: {run_cap: 1h}\n")
	want(`{"run_cap_ms":3600000}`)
	write("    detection:\n      run_cap: 1h # only the layout differs\n")
	require.Equal(t, 202, h.upload(t, body("")).status)
	write("    detection: {run_cap: 2h}\n")
	want(`{"run_cap_ms":3600000}`, `{"run_cap_ms":7200000}`)
	write("")
	want(`{"run_cap_ms":3600000}`, `{"run_cap_ms":7200000}`, `{}`)
	write("    detection: {run_cap: 1h}\n")
	want(`{"run_cap_ms":3600000}`, `{"run_cap_ms":7200000}`, `{}`, `{"run_cap_ms":3600000}`)
	h.close()

	again := &house{t: t, suites: h.suites, data: h.data}
	again.open("", "suites_file: "+h.suites+"\ndata: "+h.data+"\nreload_every: 1ms\n")
	require.Equal(t, 202, again.upload(t, body("")).status)
	require.Empty(t, changes(t, again.messages()), "what the log has is not sent again after a restart")
}

func TestQuickstart(t *testing.T) {
	dir := t.TempDir()
	start := func(extra string) (*house, string) {
		h := &house{t: t}
		var told strings.Builder
		h.tell = &told
		h.open("", "suites_file: "+filepath.Join(dir, "none.yaml")+"\ndata: "+dir+"\nquickstart: local/quickstart\n"+extra)
		return h, told.String()
	}
	send := func(h *house, token string) int {
		return h.upload(t, body(""), "Authorization", "Bearer "+token).status
	}
	first, told := start("")
	_, after, found := strings.Cut(told, "BUILDKITE_ANALYTICS_TOKEN=")
	require.True(t, found, told)
	token, _, _ := strings.Cut(after, " ")
	require.Contains(t, told, "BUILDKITE_ANALYTICS_API_URL="+first.url()+"/v1 ")
	require.Equal(t, 202, send(first, token))
	kept, err := os.ReadFile(filepath.Join(dir, memoryFile))
	require.NoError(t, err)
	require.NotContains(t, string(kept), token, "only the hash is kept")

	second, told := start("")
	require.NotContains(t, told, token, "the token is shown once")
	require.Equal(t, 202, send(second, token), "and lives on")

	third, told := start("token: te_mine\n")
	require.Empty(t, told)
	require.Equal(t, 202, send(third, "te_mine"))
	require.Equal(t, 401, send(third, token), "a token that is set stands instead of the one that was made")
}

func TestAFileIsReadOnceItHasSettled(t *testing.T) {
	file := filepath.Join(t.TempDir(), "suites.yaml")
	token, err := AddSuite(file, NewSuite{"acme", "api", "main", []string{"write"}})
	require.NoError(t, err)
	d, err := newDirectory(file, nil, time.Now)
	require.NoError(t, err)
	look := func(changed bool, says string) {
		t.Helper()
		got, err := d.reload()
		require.Equal(t, changed, got)
		if says == "" {
			require.NoError(t, err)
			return
		}
		require.ErrorContains(t, err, says)
		_, err = d.Lookup(token)
		require.NoError(t, err, "the tenants stay")
	}
	look(false, "")
	look(false, "")
	_, err = AddSuite(file, NewSuite{"acme", "web", "main", []string{"write"}})
	require.NoError(t, err)
	look(false, "") // it may still be being written
	look(true, "")
	require.Len(t, d.Suites(), 2)
	for _, test := range []struct{ content, says string }{
		{"suites: [{organization: acme}]", "line 1: suite: it must not be empty"},
		{"suites: [", "reading YAML"},
		{"", "it is gone or empty"},
	} {
		require.NoError(t, os.WriteFile(file, []byte(test.content), 0o600))
		look(false, "")
		look(false, test.says)
		look(false, "") // said once
	}
	require.NoError(t, os.Remove(file))
	look(false, "")
	look(false, "it is gone or empty")
	require.NoError(t, os.WriteFile(file, []byte("suites: []\n"), 0o600))
	look(false, "")
	look(true, "")
	require.Empty(t, d.Suites())
}
