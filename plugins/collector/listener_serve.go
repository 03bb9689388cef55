package collector

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// serve binds the address and starts the server, once.
func (l *Listener) serve() error {
	if l.bound != nil {
		return nil
	}
	certificate, err := loadCertificate(l.config.certFile, l.config.keyFile, time.Now, l.log)
	if err != nil {
		return err
	}
	bound, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", l.config.address)
	if err != nil {
		return bindError(l.config.address, err)
	}
	l.bound, l.served = bound, make(chan struct{})
	l.server = &http.Server{
		Handler:           http.HandlerFunc(l.route),
		ReadHeaderTimeout: l.config.readHeaderTimeout,
		IdleTimeout:       l.config.idleTimeout,
		MaxHeaderBytes:    l.config.maxHeaderBytes,
		Protocols:         new(http.Protocols),
		ConnContext:       withConnection,
		ConnState:         connectionState,
		ErrorLog:          log.New(quietly{l.log}, "", 0),
	}
	l.server.Protocols.SetHTTP1(true)
	l.server.Protocols.SetHTTP2(true)
	l.server.Protocols.SetUnencryptedHTTP2(true)
	limited := listenFor(bound, l.config.maxConnections, parkAfter)
	if certificate != nil {
		l.server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate.get}
	}
	go func() {
		defer close(l.served)
		var err error
		if certificate != nil {
			err = l.server.ServeTLS(limited, "", "")
		} else {
			err = l.server.Serve(limited)
		}
		if !errors.Is(err, http.ErrServerClosed) && l.log != nil {
			l.log.Errorf("Serving on %s: %v", l.config.address, err)
		}
	}()
	return nil
}

// route bounds the time that a body may take and hands the request to its handler.
// The server's own ReadTimeout would also end answers that stream. The request
// is copied: the server must find its own body in its own when nobody reads it.
func (l *Listener) route(w http.ResponseWriter, r *http.Request) {
	mayLeave(r)
	l.config.proxies.identify(w, r)
	if !straighten(r) {
		nothingHere(w, r)
		return
	}
	if len(r.TransferEncoding) > 0 && r.ProtoMajor == 1 {
		// The server drops a Content-Length that stands beside the coding. A proxy
		// that believed it would take what follows for the body: nothing follows.
		w.Header().Set("Connection", "close")
	}
	if r.Body != http.NoBody && l.config.readTimeout > 0 {
		control := http.NewResponseController(w)
		if control.SetReadDeadline(time.Now().Add(l.config.readTimeout)) == nil {
			r = r.WithContext(r.Context())
			r.Body = &timedBody{ReadCloser: r.Body, control: control}
		}
	}
	l.mux.Load().ServeHTTP(w, r)
}

// straighten makes one slash of several, as a base address with a slash at its
// end brings. It refuses paths that climb or stand still: nobody is redirected,
// for a client that follows may send its upload with GET, or elsewhere.
func straighten(r *http.Request) bool {
	if !strings.HasPrefix(r.URL.Path, "/") || slices.ContainsFunc(strings.Split(r.URL.Path, "/"), func(s string) bool { return s == "." || s == ".." }) {
		return false
	}
	escaped := r.URL.EscapedPath()
	if !strings.Contains(escaped, "//") {
		return true
	}
	parts := slices.DeleteFunc(strings.Split(escaped, "/"), func(s string) bool { return s == "" })
	joined := "/" + strings.Join(parts, "/")
	if strings.HasSuffix(escaped, "/") && len(parts) > 0 {
		joined += "/"
	}
	path, err := url.PathUnescape(joined)
	if err != nil {
		return false
	}
	straight := *r.URL
	straight.Path, straight.RawPath = path, joined
	r.URL = &straight
	return true
}

// timedBody takes the deadline off the connection when the body has been read,
// so that waiting for an answer is not cut short.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) && b.control != nil {
		_ = b.control.SetReadDeadline(time.Time{})
		b.control = nil
	}
	return n, err
}

func baseURL(config listenerConfig, bound net.Listener) string {
	if config.baseURL != "" {
		return strings.TrimRight(config.baseURL, "/")
	}
	address := config.address
	if bound != nil {
		address = bound.Addr().String()
	}
	scheme := "http://"
	if config.certFile != "" {
		scheme = "https://"
	}
	return scheme + reachable(address)
}

// reachable is the address to connect to for one to listen on.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// quietly writes what the library's server has to say into the process's log:
// anybody can make it say something, by speaking no TLS for example.
type quietly struct{ log *service.Logger }

// Write writes one line.
func (q quietly) Write(line []byte) (int, error) {
	if q.log != nil {
		q.log.Debugf("%s", bytes.TrimSpace(line))
	}
	return len(line), nil
}
