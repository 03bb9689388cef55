package collector

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// copyOver gives a file the content of another and a time of its own.
func copyOver(t *testing.T, to, from string, at time.Time) {
	t.Helper()
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, content, 0o600))
	require.NoError(t, os.Chtimes(to, at, at))
}

func TestACertificateFollowsItsFilesAndABrokenOneIsTold(t *testing.T) {
	certFile, keyFile, _ := selfSigned(t)
	newCert, newKey, _ := selfSigned(t)
	at := time.Unix(1_700_000_000, 0)
	var log bytes.Buffer
	c, err := loadCertificate(certFile, keyFile, func() time.Time { return at }, service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(&log, nil))))
	require.NoError(t, err)
	serves := func() []byte {
		at = at.Add(certificateLook)
		served, err := c.get(nil)
		require.NoError(t, err)
		return served.Certificate[0]
	}
	first := serves()
	require.Empty(t, log.String())

	copyOver(t, certFile, newCert, at) // the key is still the old one
	require.Equal(t, first, serves())
	require.Equal(t, first, serves())
	require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("cannot be read, the one before is served, until")), "%s", log.String())

	copyOver(t, keyFile, newKey, at)
	second := serves()
	require.NotEqual(t, first, second)
	require.Contains(t, log.String(), "has changed: it is good until")

	require.NoError(t, os.Remove(keyFile))
	require.Equal(t, second, serves())
	require.Equal(t, 2, bytes.Count(log.Bytes(), []byte("cannot be read")))
}

func TestACertificateThatCannotBeReadNamesItsFields(t *testing.T) {
	certFile, keyFile, _ := selfSigned(t)
	for _, files := range [][2]string{{"none.pem", keyFile}, {certFile, "none.pem"}, {certFile, certFile}, {keyFile, keyFile}} {
		_, err := loadCertificate(files[0], files[1], time.Now, nil)
		require.ErrorContains(t, err, "reading tls.cert_file and tls.key_file: ")
	}
	c, err := loadCertificate("", "", time.Now, nil)
	require.NoError(t, err)
	require.Nil(t, c)
}

// Whoever scans ports would fill the log, in a format of its own.
func TestWhatTheServerSaysOfStrangersIsNoLineOfTheLog(t *testing.T) {
	certFile, keyFile, _ := selfSigned(t)
	var log safeBuffer
	l := newTestListener(t, func(c *listenerConfig) { c.certFile, c.keyFile = certFile, keyFile })
	l.log = service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	require.NoError(t, l.Handle("GET /a", says("secret")))
	connection, err := net.Dial("tcp", l.bound.Addr().String())
	require.NoError(t, err)
	_, err = io.WriteString(connection, "GET / HTTP/1.1\r\n\r\n")
	require.NoError(t, err)
	_, _ = io.ReadAll(connection)
	require.NoError(t, connection.Close())
	require.NoError(t, l.Close(context.WithoutCancel(t.Context())))
	require.Eventually(t, func() bool { return log.String() != "" }, 5*time.Second, 10*time.Millisecond)
	require.Contains(t, log.String(), "level=DEBUG msg=\"http: TLS handshake error")
	require.NotContains(t, log.String(), "level=ERROR")
}
