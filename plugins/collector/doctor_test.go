package collector

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func examine(t *testing.T, base, token string, now func() time.Time) map[string]Finding {
	t.Helper()
	d := &Doctor{Base: base, Token: token, Timeout: 5 * time.Second, Now: now}
	found := map[string]Finding{}
	for _, f := range d.Examine(t.Context()) {
		found[f.Name] = f
	}
	return found
}

func TestTheDoctorFindsWhatACollectorWouldFind(t *testing.T) {
	h := openHouse(t, "", "max_body: 1MiB")
	t.Run("all is well", func(t *testing.T) {
		found := examine(t, h.url()+"/v1/uploads", writeToken, time.Now)
		for name, f := range found {
			require.True(t, f.OK, "%s: %s", name, f.Detail)
		}
		require.Contains(t, found["upload"].Detail, "202")
		require.Contains(t, found["size"].Detail, "larger than 1048576 bytes")
	})
	for _, c := range []struct {
		name, base, token string
		now               func() time.Time
		where, says       string
	}{
		{"a wrong token", h.url(), "wrong", time.Now, "upload", "a collector would be answered 401"},
		{"a token that may not write", h.url(), readToken, time.Now, "upload", "answered 403"},
		{"a clock that is off", h.url(), writeToken, func() time.Time { return time.Now().Add(time.Hour) }, "clock", "clock is 1h0m"},
		{"nobody there", "http://127.0.0.1:1", writeToken, time.Now, "connection", "nothing answers at 127.0.0.1:1"},
		{"a name without address", "http://none.invalid", writeToken, time.Now, "DNS", "none.invalid has no address here"},
		{"no address", "tests.example", writeToken, time.Now, "address", "is no address such as"},
		{"plain HTTP where TLS is expected", strings.Replace(h.url(), "http:", "https:", 1), writeToken, time.Now, "TLS", "will not trust the certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := examine(t, c.base, c.token, c.now)
			require.False(t, found[c.where].OK)
			require.Contains(t, found[c.where].Detail, c.says)
		})
	}
	require.Len(t, h.messages(), 2, "whoever has the token has sent an upload without executions")
}

// Whoever is not the front door, and whoever stands in front of it, is named: collectors themselves say next to nothing.
func TestTheDoctorTellsTheFrontDoorFromOthers(t *testing.T) {
	h := openHouse(t, "", "max_body: 30MiB")
	door, err := url.Parse(h.url())
	require.NoError(t, err)
	const page = "<html>\n<h1>Welcome</h1>\n</html>"
	write := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
	}
	limited := func(most int64) http.HandlerFunc {
		pass := httputil.NewSingleHostReverseProxy(door)
		return func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength > most {
				write(413, "<html>\n<h1>413 Request Entity Too Large</h1></html>")(w, r)
				return
			}
			pass.ServeHTTP(w, r)
		}
	}
	for _, c := range []struct {
		name        string
		server      http.HandlerFunc
		ok          bool
		where, says string
	}{
		{"another web server", write(200, page), false, "ready", "is this the front door's address? (200) that is no answer of a front door, another server or a proxy says: <html> <h1>Welcome</h1> </html>"},
		{"one that takes everything", write(202, "{}"), false, "upload", "answered 202 and lose its results: that is no answer of a front door"},
		{"a proxy without a door behind it", write(502, page), false, "upload", "answered 502 and lose its results: that is no answer of a front door"},
		{"a server that says nothing", write(404, ""), false, "upload", "says: nothing"},
		{"a very long page", write(404, strings.Repeat("x", 10_000)), false, "upload", strings.Repeat("x", 100)},
		{"an address that sends on", http.RedirectHandler("https://tests.example/", http.StatusMovedPermanently).ServeHTTP, false, "upload", "sends clients on to https://tests.example/ (301), and most collectors do not go there"},
		{"a door that is not ready", write(503, `{"ready":false,"waiting_for":{"database":"opening"}}`), false, "ready", "it waits for map[database:opening]"},
		{"a proxy that takes less than the door", limited(1 << 20), false, "size", "a proxy in front refuses an upload of 21 MiB, not the door: raise its limit (nginx: client_max_body_size)"},
		{"a proxy that takes as much as anybody sends", limited(100 << 20), true, "size", "21 MiB pass; an upload that is too large is refused by a proxy in front (413)"},
		{"a proxy without a limit", limited(1 << 50), true, "size", "larger than 31457280 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(c.server)
			t.Cleanup(server.Close)
			found := examine(t, server.URL, writeToken, time.Now)
			require.Equal(t, c.ok, found[c.where].OK, found)
			require.Contains(t, found[c.where].Detail, c.says)
			for _, f := range found {
				require.NotContains(t, f.Detail, "\n")
				require.Less(t, len(f.Detail), 400)
			}
		})
	}
}

func TestVariablesAreMadeFromWhateverACollectorsVariableSays(t *testing.T) {
	for _, address := range []string{
		"http://h:1", "http://h:1/", "http://h:1/v1/uploads", "http://h:1/v1/uploads/", "http://h:1/v1", "http://h:1/v1/traces",
	} {
		require.Contains(t, Variables(address, "t"), "BUILDKITE_ANALYTICS_BASE_URL=http://h:1/v1/uploads ", address)
	}
	require.Contains(t, Variables("https://h/tests", "t"), "BASE_URL=https://h/tests/v1/uploads ")
	require.Equal(t, "http://localhost:8420", FrontDoorAt(":8420"))
	require.Equal(t, "http://10.0.0.1:8420", FrontDoorAt("10.0.0.1:8420"))
}
