package collector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/collector/answer"
	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
)

// Listener is the value of the resource http_listener. Components of other
// capabilities reach it through an interface of their own.
type Listener struct {
	config listenerConfig
	log    *service.Logger

	mu        sync.Mutex
	bound     net.Listener
	server    *http.Server
	served    chan struct{}
	routes    map[string]http.Handler
	checks    map[string]func() error
	directory tenant.Directory
	admission func() (limit, inFlight, waiting int)
	lags      []func() time.Duration

	mux     atomic.Pointer[http.ServeMux]
	closing atomic.Bool
}

func newListener(config listenerConfig, log *service.Logger) *Listener {
	l := &Listener{config: config, log: log, checks: map[string]func() error{}}
	l.routes = map[string]http.Handler{
		"GET /live":  http.HandlerFunc(live),
		"GET /ready": http.HandlerFunc(l.ready),
		"/":          http.HandlerFunc(nothingHere),
	}
	return l
}

// Handle mounts a route, in the patterns of http.ServeMux; the same pattern
// again replaces it. The first route binds the address: an error is a reason
// not to start.
func (l *Listener) Handle(pattern string, handler http.Handler) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	routes := maps.Clone(l.routes)
	routes[pattern] = handler
	mux, err := buildMux(routes)
	if err != nil {
		return fmt.Errorf("mounting %q: %w", pattern, err)
	}
	l.routes = routes
	l.mux.Store(mux)
	return l.serve()
}

// BaseURL is how clients reach the server, without a slash at the end.
func (l *Listener) BaseURL() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return baseURL(l.config, l.bound)
}

// Address is where the server listens; the port is the real one once bound.
func (l *Listener) Address() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bound != nil {
		return l.bound.Addr().String()
	}
	return l.config.address
}

// Loopback reports whether only this machine can reach the server.
func (l *Listener) Loopback() bool {
	host, _, err := net.SplitHostPort(l.Address())
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Ready adds a check to /ready under a name; a check of that name is replaced,
// nil takes it away.
func (l *Listener) Ready(name string, check func() error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if check == nil {
		delete(l.checks, name)
		return
	}
	l.checks[name] = check
}

// SetDirectory tells the other inputs of the listener who may do what.
func (l *Listener) SetDirectory(d tenant.Directory) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.directory = d
}

// Directory is nil until an input has set it.
func (l *Listener) Directory() tenant.Directory {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.directory
}

// SetAdmission tells others in the process how busy the front door is.
func (l *Listener) SetAdmission(numbers func() (limit, inFlight, waiting int)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.admission = numbers
}

// Admission returns how many uploads may be worked on at a time, are, and wait
// to be; ok is false when there is no front door.
func (l *Listener) Admission() (limit, inFlight, waiting int, ok bool) {
	l.mu.Lock()
	numbers := l.admission
	l.mu.Unlock()
	if numbers == nil {
		return 0, 0, 0, false
	}
	limit, inFlight, waiting = numbers()
	return limit, inFlight, waiting, true
}

// AddLag tells the front door how far something behind it is behind: the age of
// the oldest upload that it has not got. The function must be cheap.
func (l *Listener) AddLag(lag func() time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lags = append(slices.Clone(l.lags), lag)
}

// Lag is the greatest lag behind the front door; 0 when nobody tells one.
func (l *Listener) Lag() (most time.Duration) {
	l.mu.Lock()
	lags := l.lags
	l.mu.Unlock()
	for _, lag := range lags {
		most = max(most, lag())
	}
	return most
}

// Close lets requests that are being answered finish, for a bounded time.
func (l *Listener) Close(ctx context.Context) error {
	l.closing.Store(true)
	l.mu.Lock()
	server := l.server
	l.mu.Unlock()
	if server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, l.config.shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		_ = server.Close()
	}
	<-l.served
	return nil
}

func live(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, []byte("{\"live\":true}\n"))
}

func (l *Listener) ready(w http.ResponseWriter, _ *http.Request) {
	reasons := map[string]string{}
	if l.closing.Load() {
		reasons["listener"] = "the server is shutting down"
	}
	l.mu.Lock()
	checks := maps.Clone(l.checks)
	l.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		if err := checks[name](); err != nil {
			reasons[name] = err.Error()
		}
	}
	status := http.StatusOK
	if len(reasons) > 0 {
		status = http.StatusServiceUnavailable
	}
	body, _ := json.Marshal(map[string]any{"ready": len(reasons) == 0, "waiting_for": reasons}) //nolint:errchkjson // strings only
	writeJSON(w, status, append(body, '\n'))
}

func nothingHere(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusNotFound, answer.AppendMessage(nil,
		"there is nothing at "+r.URL.Path+": collectors send to /v1/uploads"))
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	answer.Write(w, w.Header().Set, status, answer.JSON, body)
}

// buildMux turns the panics of http.ServeMux about patterns into errors.
func buildMux(routes map[string]http.Handler) (mux *http.ServeMux, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			mux, err = nil, fmt.Errorf("%v", panicked)
		}
	}()
	mux = http.NewServeMux()
	for _, pattern := range slices.Sorted(maps.Keys(routes)) {
		mux.Handle(pattern, routes[pattern])
	}
	return mux, nil
}

// bindError says in one sentence why an address cannot be had.
func bindError(address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listening on %s: another process has that address: stop it, or set another (field %s, TESTENGINE_ADDRESS in the quickstart): %w",
			address, lfAddress, err)
	}
	return fmt.Errorf("listening on %s: %w", address, err)
}
