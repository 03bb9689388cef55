package collector

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhoSentIt(t *testing.T) {
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"without a proxy it is the peer", "192.0.2.1:5", nil, "192.0.2.1"},
		{"a stranger's word is not taken", "192.0.2.1:5", []string{"203.0.113.9"}, "192.0.2.1"},
		{"a trusted proxy names the client", "10.1.2.3:5", []string{"203.0.113.9"}, "203.0.113.9"},
		{"what the client forged before is not taken", "10.1.2.3:5", []string{"1.1.1.1, 203.0.113.9"}, "203.0.113.9"},
		{"two trusted proxies, in two headers", "10.1.2.3:5", []string{"203.0.113.9", "10.9.9.9"}, "203.0.113.9"},
		{"a proxy that says nothing", "10.1.2.3:5", nil, "10.1.2.3"},
		{"a word that is no address", "10.1.2.3:5", []string{"unknown"}, "10.1.2.3"},
		{"a single trusted address, IPv6", "[2001:db8::1]:5", []string{"203.0.113.9"}, "203.0.113.9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			trusted, err := parseProxies([]string{"10.0.0.0/8", "2001:db8::1"})
			require.NoError(t, err)
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			r.RemoteAddr = c.peer
			r.Header["X-Forwarded-For"] = c.forwarded
			require.Equal(t, c.want, trusted.client(r))
		})
	}
	_, err := parseProxies([]string{"ten"})
	require.EqualError(t, err, `reading trusted_proxies: "ten" is neither an address nor a network such as 10.0.0.0/8`)
}

func TestRequestIDs(t *testing.T) {
	trusted, err := parseProxies([]string{"10.0.0.0/8"})
	require.NoError(t, err)
	for _, c := range []struct{ name, peer, sent, want string }{
		{"a trusted proxy's is kept", "10.1.1.1:1", "req-1", "req-1"},
		{"a stranger's is not", "192.0.2.1:1", "req-1", ""},
		{"one with spaces is not", "10.1.1.1:1", "req 1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			r.RemoteAddr = c.peer
			r.Header.Set(requestIDHeader, c.sent)
			w := httptest.NewRecorder()
			trusted.identify(w, r)
			got := w.Header().Get(requestIDHeader)
			require.Equal(t, got, r.Header.Get(requestIDHeader))
			if c.want == "" {
				require.Len(t, got, 24)
				return
			}
			require.Equal(t, c.want, got)
		})
	}
}
