package api

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/api/page"
	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
)

const tokenCookie = "testengine_token"

// admit decides whether the reader may see what the path names.
func (s *site) admit(c *call) error {
	if c.key.Org == "" && !strings.HasSuffix(c.route.pattern, "/{$}") {
		return nil // the login and the assets are for everybody
	}
	if !s.needsToken(c.r) || s.public(c.key) {
		return nil
	}
	found, err := s.tenant(c.r)
	if err != nil {
		return err
	}
	c.who = &found
	if c.key.Org != "" && c.key.Org != found.Org || c.key.Suite != "" && c.key.Suite != found.Suite {
		return &problem{http.StatusForbidden, "this token reads " + found.Org + "/" + found.Suite + " only"}
	}
	if c.route.name == "slice" {
		c.key = query.SuiteKey{Org: found.Org, Suite: found.Suite}
	}
	return nil
}

// tenant finds who reads, by the Authorization header or the login's cookie.
func (s *site) tenant(r *http.Request) (tenant.Tenant, error) {
	header := r.Header.Get("Authorization")
	if cookie, err := r.Cookie(tokenCookie); header == "" && err == nil {
		header = "Bearer " + cookie.Value
	}
	return tenant.Authorize(s.door.Directory(), header, tenant.ScopeRead)
}

// needsToken reports whether this request needs a token. Without one, only this
// machine may read: a proxy in front, a public base URL, or a foreign name in
// Host (a web site that rebinds its name to 127.0.0.1) ends that.
func (s *site) needsToken(r *http.Request) bool {
	switch s.config.requireToken {
	case tokenNever:
		return false
	case tokenAlways:
		return true
	}
	if !s.door.Loopback() || !loopbackHost(r.Host) {
		return true
	}
	if base, err := url.Parse(s.door.BaseURL()); err != nil || !loopbackHost(base.Host) {
		return true
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	return false
}

func loopbackHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (s *site) public(key query.SuiteKey) bool {
	directory := s.door.Directory()
	return directory != nil && key.Suite != "" && slices.ContainsFunc(directory.Suites(), func(suite tenant.Suite) bool {
		return suite.Public && suite.Organization == key.Org && suite.Name == key.Suite
	})
}

func (s *site) loginPage(c *call) error {
	return s.page(c, page.Login, page.LoginView{Frame: s.frame(c, "Log in", ""), Next: localPath(c.r.URL.Query().Get("next"))})
}

// login turns a token into a cookie. The cookie is sent back by pages of this
// site alone (SameSite=Strict), and scripts cannot read it.
func (s *site) login(c *call) error {
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, 8<<10)
	token, next := strings.TrimSpace(c.r.PostFormValue("token")), localPath(c.r.PostFormValue("next"))
	found, err := tenant.Authorize(s.door.Directory(), "Bearer "+token, tenant.ScopeRead)
	if err != nil {
		view := page.LoginView{Frame: s.frame(c, "Log in", ""), Next: next, Refused: err.Error()}
		if errors.Is(err, tenant.ErrNoToken) {
			view.Refused = "Paste the token first."
		}
		return s.pageWithStatus(c, http.StatusUnauthorized, page.Login, view)
	}
	if next == "/" {
		next = page.SuitePath(query.SuiteKey{Org: found.Org, Suite: found.Suite}, "flaky")
	}
	http.SetCookie(c.w, s.cookie(token, 0))
	http.Redirect(c.w, c.r, next, http.StatusSeeOther)
	return nil
}

func (s *site) logout(c *call) error {
	http.SetCookie(c.w, s.cookie("", -1))
	http.Redirect(c.w, c.r, "/login", http.StatusSeeOther)
	return nil
}

func (s *site) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure follows the scheme: plain HTTP has no other cookie
		Name: tokenCookie, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true,
		SameSite: http.SameSiteStrictMode, Secure: strings.HasPrefix(s.door.BaseURL(), "https://"),
	}
}

// localPath keeps a path of this site and nothing else: no open redirect.
func localPath(next string) string {
	parsed, err := url.Parse(next)
	if err != nil || parsed.IsAbs() || parsed.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}
