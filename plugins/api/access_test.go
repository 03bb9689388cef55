package api

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhoMayRead(t *testing.T) {
	const public = "/v2/analytics/organizations/local/suites/open/tests"
	for _, test := range []struct {
		name    string
		arrange func(*bench)
		path    string
		headers []string
		status  int
	}{
		{"on this machine nobody needs a token", nil, dataPath + "/tests", nil, 200},
		{"unless it is always wanted", func(b *bench) { b.site.config.requireToken = tokenAlways }, dataPath + "/tests", nil, 401},
		{"or the listener is open to the network", func(b *bench) { b.door.loopback = false }, dataPath + "/tests", nil, 401},
		{"or its public name is not this machine's", func(b *bench) { b.door.base = "https://tests.example.com" }, dataPath + "/tests", nil, 401},
		{"or a proxy stands in front", nil, dataPath + "/tests", []string{"X-Forwarded-For", "10.0.0.9"}, 401},
		{"or a web site gave its own name to this address", nil, dataPath + "/tests", []string{"Host", "evil.example:8420"}, 401},
		{"a network without tokens can be asked for", func(b *bench) { b.door.loopback = false; b.site.config.requireToken = tokenNever }, dataPath + "/tests", nil, 200},
		{"a token with the scope reads its suite", remote, dataPath + "/tests", []string{"Authorization", "Bearer te_reader"}, 200},
		{"in any spelling", remote, dataPath + "/tests", []string{"Authorization", `Token token="te_reader"`}, 200},
		{"a token that may only write does not", remote, dataPath + "/tests", []string{"Authorization", "Bearer te_writer"}, 403},
		{"an expired one does not", remote, dataPath + "/tests", []string{"Authorization", "Bearer te_old"}, 401},
		{"a made-up one does not", remote, dataPath + "/tests", []string{"Authorization", "Bearer te_x"}, 401},
		{"another suite's does not", remote, dataPath + "/tests", []string{"Authorization", "Bearer te_other"}, 403},
		{"nor across organisations", remote, "/v2/analytics/organizations/acme/suites", []string{"Authorization", "Bearer te_reader"}, 403},
		{"the stream asks too", remote, dataPath + "/verdicts/stream", nil, 401},
		{"a public suite is open", remote, public, nil, 200},
		{"files of the page are open", remote, "/assets/app.css", nil, 200},
		{"without a directory nobody is let in", func(b *bench) { remote(b); b.door.table = nil }, dataPath + "/tests", []string{"Authorization", "Bearer te_reader"}, 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, demo())
			if test.arrange != nil {
				test.arrange(b)
			}
			w := b.get(test.path, test.headers...)
			require.Equal(t, test.status, w.Code, w.Body.String())
			if test.status >= 400 {
				require.NotEmpty(t, message(t, w))
			}
			require.Equal(t, test.status == 401, w.Header().Get("WWW-Authenticate") != "")
		})
	}
}

func remote(b *bench) { b.door.loopback = false }

func TestATokenSeesItsSuiteOnly(t *testing.T) {
	b := newBench(t, demo())
	remote(b)
	w := b.get("/v2/analytics/organizations/local/suites", "Authorization", "Bearer te_reader")
	require.Contains(t, w.Body.String(), `"slug":"quickstart"`)
	require.NotContains(t, w.Body.String(), `"slug":"other"`)
	w = b.get("/v2/analytics/organizations/local/slices?measure=executions&by=suite&period=30days", "Authorization", "Bearer te_other")
	require.Equal(t, http.StatusOK, w.Code)
	require.NotContains(t, w.Body.String(), "quickstart", "an organisation's slice is the token's suite")
}

func TestLogin(t *testing.T) {
	b := newBench(t, demo())
	remote(b)
	w := b.get(suitePath+"/runs?branch=main", "Accept", "text/html")
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, "/login?next="+url.QueryEscape(suitePath+"/runs?branch=main"), w.Header().Get("Location"))
	require.Contains(t, b.get(w.Header().Get("Location"), "Accept", "text/html").Body.String(), `name="next" value="/local/suites/quickstart/runs?branch=main"`)

	form := func(token, next string) string { return url.Values{"token": {token}, "next": {next}}.Encode() }
	const kind, coded = "Content-Type", "application/x-www-form-urlencoded"
	w = b.send(http.MethodPost, "/login", form("te_reader", suitePath+"/runs"), kind, coded)
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, suitePath+"/runs", w.Header().Get("Location"))
	cookie := w.Result().Cookies()[0]
	require.True(t, cookie.HttpOnly)
	require.Equal(t, http.SameSiteStrictMode, cookie.SameSite)
	require.Equal(t, http.StatusOK, b.get(suitePath+"/runs", "Cookie", cookie.Name+"="+cookie.Value).Code)

	w = b.send(http.MethodPost, "/login", form("te_reader", "//evil.example"), kind, coded)
	require.Equal(t, suitePath+"/flaky", w.Header().Get("Location"), "no way out of this site")
	require.Equal(t, http.StatusUnauthorized, b.send(http.MethodPost, "/login", form("te_x", "/"), kind, coded).Code)
	require.Equal(t, http.StatusForbidden, b.send(http.MethodPost, "/login", form("te_reader", "/"), kind, coded, "Sec-Fetch-Site", "cross-site").Code,
		"another site cannot log the reader in")
	b.door.base = "https://tests.example.com"
	require.True(t, b.send(http.MethodPost, "/login", form("te_reader", "/"), kind, coded).Result().Cookies()[0].Secure)
}

func TestLocalPath(t *testing.T) {
	for _, test := range []struct{ name, next, want string }{
		{"a path of this site stays", "/a/b?c=d", "/a/b?c=d"},
		{"another site does not", "https://evil.example/", "/"},
		{"nor without a scheme", "//evil.example/", "/"},
		{"nor with a backslash", `/\evil.example`, "/"},
		{"nor a script", "javascript:alert(1)", "/"},
		{"nothing is the root", "", "/"},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, localPath(test.next)) })
	}
}
