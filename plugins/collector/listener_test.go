package collector

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func newTestListener(t *testing.T, change func(*listenerConfig)) *Listener {
	t.Helper()
	config := listenerConfig{
		address: "127.0.0.1:0", readHeaderTimeout: time.Minute, readTimeout: time.Minute, idleTimeout: time.Minute,
		shutdownTimeout: time.Second, maxConnections: 10, maxHeaderBytes: 8 << 10,
	}
	if change != nil {
		change(&config)
	}
	l := newListener(config, nil)
	t.Cleanup(func() { require.NoError(t, l.Close(context.Background())) })
	return l
}

func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

func fetch(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	response, err := client.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func TestListenerBindsWithItsFirstRouteOrRefuses(t *testing.T) {
	l := newTestListener(t, nil)
	require.Equal(t, "127.0.0.1:0", l.Address(), "a configuration test binds nothing")
	require.NoError(t, l.Handle("GET /a", says("a")))
	require.NotEqual(t, "127.0.0.1:0", l.Address())
	require.Equal(t, "http://"+l.Address(), l.BaseURL())

	second := newTestListener(t, func(c *listenerConfig) { c.address = l.Address() })
	err := second.Handle("GET /a", says("b"))
	require.ErrorContains(t, err, "listening on "+l.Address()+": another process has that address")
	require.NotContains(t, err.Error(), "\n")
}

func TestListenerRoutes(t *testing.T) {
	l := newTestListener(t, nil)
	require.NoError(t, l.Handle("GET /a", says("first")))
	require.NoError(t, l.Handle("GET /a", says("second")))
	require.ErrorContains(t, l.Handle("GET /{", says("x")), `mounting "GET /{"`)
	status, body := fetch(t, http.DefaultClient, l.BaseURL()+"/a")
	require.Equal(t, 200, status)
	require.Equal(t, "second", body, "the same pattern again replaces it")
	status, _ = fetch(t, http.DefaultClient, l.BaseURL()+"/live")
	require.Equal(t, 200, status)
}

func TestReadyNamesWhatItWaitsFor(t *testing.T) {
	l := newTestListener(t, nil)
	require.NoError(t, l.Handle("GET /a", says("a")))
	l.Ready("database", func() error { return errors.New("opening") })
	status, body := fetch(t, http.DefaultClient, l.BaseURL()+"/ready")
	require.Equal(t, 503, status)
	require.JSONEq(t, `{"ready":false,"waiting_for":{"database":"opening"}}`, body)
	l.Ready("database", func() error { return nil })
	status, _ = fetch(t, http.DefaultClient, l.BaseURL()+"/ready")
	require.Equal(t, 200, status)
}

func TestBaseURLAndLoopback(t *testing.T) {
	for _, test := range []struct {
		name, address, base, cert, want string
		loopback                        bool
	}{
		{"the address by default", "127.0.0.1:8420", "", "", "http://127.0.0.1:8420", true},
		{"the name of this machine", "localhost:8420", "", "", "http://localhost:8420", true},
		{"all addresses are reached through a name", "0.0.0.0:8420", "", "", "http://localhost:8420", false},
		{"no host is all addresses", ":8420", "", "", "http://localhost:8420", false},
		{"TLS has another scheme", "[::1]:8420", "", "c.pem", "https://[::1]:8420", true},
		{"what is set counts", "0.0.0.0:1", "https://te.example/x/", "", "https://te.example/x", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newListener(listenerConfig{address: test.address, baseURL: test.base, certFile: test.cert}, nil)
			require.Equal(t, test.want, l.BaseURL())
			require.Equal(t, test.loopback, l.Loopback())
		})
	}
}

func TestListenerBoundsHeadersAndConnections(t *testing.T) {
	l := newTestListener(t, func(c *listenerConfig) {
		c.readHeaderTimeout = 30 * time.Millisecond
		c.maxConnections = 1
	})
	require.NoError(t, l.Handle("GET /a", says("a")))
	slow, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Address())
	require.NoError(t, err)
	defer func() { _ = slow.Close() }()
	_, err = io.WriteString(slow, "GET /a HTTP/1.1\r\nHost: h\r\n")
	require.NoError(t, err)
	started := time.Now()
	status, _ := fetch(t, http.DefaultClient, l.BaseURL()+"/a")
	require.Equal(t, 200, status, "a connection is free again once the slow one is closed")
	require.GreaterOrEqual(t, time.Since(started), 10*time.Millisecond)
	http.DefaultClient.CloseIdleConnections()

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.BaseURL()+"/a", nil)
	require.NoError(t, err)
	request.Header.Set("X-Long", strings.Repeat("x", 16<<10))
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	_ = response.Body.Close()
	require.Equal(t, 431, response.StatusCode)
}

func TestListenerServesTLS(t *testing.T) {
	certFile, keyFile, pool := selfSigned(t)
	l := newTestListener(t, func(c *listenerConfig) { c.certFile, c.keyFile = certFile, keyFile })
	require.NoError(t, l.Handle("GET /a", says("secret")))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	_, body := fetch(t, &http.Client{Transport: transport}, l.BaseURL()+"/a")
	require.Equal(t, "secret", body)

	broken := newTestListener(t, func(c *listenerConfig) { c.certFile, c.keyFile = certFile, certFile })
	require.Error(t, broken.Handle("GET /a", says("x")), "a broken certificate is a reason not to start")
}

func selfSigned(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.NoError(t, os.WriteFile(certFile, certPEM, 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600))
	pool = x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(certPEM))
	return certFile, keyFile, pool
}
