package collector

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/upload/bodies"
)

// parkingServer is a server whose idle connections leave it soon.
type parkingServer struct {
	*connections
	server   *http.Server
	requests atomic.Int32
}

func startParking(t *testing.T, places int, idleTimeout time.Duration) *parkingServer {
	t.Helper()
	bound, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &parkingServer{connections: listenFor(bound, places, 10*time.Millisecond)}
	s.server = &http.Server{
		ReadHeaderTimeout: time.Minute, IdleTimeout: idleTimeout, ConnContext: withConnection, ConnState: connectionState,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.requests.Add(1)
			mayLeave(r)
			body, _ := io.ReadAll(r.Body)
			_, _ = w.Write(body)
		}),
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.server.Serve(s.connections)
	}()
	t.Cleanup(func() {
		_ = s.server.Close()
		<-served
	})
	return s
}

func (s *parkingServer) away() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.parked)
}

func (s *parkingServer) isAway(t *testing.T, connections int) {
	t.Helper()
	require.Eventually(t, func() bool { return s.away() == connections }, 10*time.Second, time.Millisecond)
}

// caller is a client that keeps its connection.
type caller struct {
	net.Conn
	answers *bufio.Reader
}

func call(t *testing.T, address string) *caller {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	return &caller{Conn: conn, answers: bufio.NewReader(conn)}
}

func echo(text string) string {
	return fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
}

func (c *caller) sends(t *testing.T, text string) {
	t.Helper()
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
}

func (c *caller) hears(t *testing.T, want string) {
	t.Helper()
	answer, err := http.ReadResponse(c.answers, nil)
	require.NoError(t, err)
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.True(t, want == string(body), "%d bytes", len(body)) //nolint:testifylint // not to be printed
}

func (c *caller) hearsTheEnd(t *testing.T) {
	t.Helper()
	_, err := c.answers.ReadByte()
	require.ErrorIs(t, err, io.EOF)
}

func TestAnIdleConnectionLeavesTheServerAndComesBackWithItsNextRequest(t *testing.T) {
	s := startParking(t, 10, time.Minute)
	client := call(t, s.Addr().String())
	for _, text := range []string{"first", "second", strings.Repeat("x", 100_000)} {
		client.sends(t, echo(text))
		client.hears(t, text)
		s.isAway(t, 1)
	}
	client.sends(t, echo("at once"))
	client.hears(t, "at once")
	client.sends(t, echo("after"))
	client.hears(t, "after")
}

func TestWhatHasArrivedOfANextRequestKeepsAConnectionAtTheServer(t *testing.T) {
	for _, part := range []int{1, 3, 4, 10} {
		s := startParking(t, 10, time.Minute)
		client, other := call(t, s.Addr().String()), call(t, s.Addr().String())
		next := echo("next")
		client.sends(t, echo("first")+next[:part])
		client.hears(t, "first")
		other.sends(t, echo("other"))
		other.hears(t, "other")
		s.isAway(t, 1) // The other one, though it came later.
		require.Never(t, func() bool { return s.away() > 1 }, 50*time.Millisecond, 10*time.Millisecond)
		client.sends(t, next[part:])
		client.hears(t, "next")
	}
}

func TestAParkedConnectionKeepsItsPlaceUntilItEnds(t *testing.T) {
	s := startParking(t, 1, time.Minute)
	first, second := call(t, s.Addr().String()), call(t, s.Addr().String())
	first.sends(t, echo("first"))
	first.hears(t, "first")
	s.isAway(t, 1)
	second.sends(t, echo("second"))
	require.Never(t, func() bool { return s.requests.Load() > 1 }, 50*time.Millisecond, 10*time.Millisecond)
	require.NoError(t, first.Close())
	second.hears(t, "second")
}

func TestAParkedConnectionIsClosedInTheEnd(t *testing.T) {
	s := startParking(t, 10, 200*time.Millisecond)
	client := call(t, s.Addr().String())
	client.sends(t, echo("first"))
	client.hears(t, "first")
	s.isAway(t, 1)
	client.hearsTheEnd(t) // By the server's idle timeout.
	s.isAway(t, 0)
	require.Eventually(t, func() bool { return len(s.places) == 1 }, 10*time.Second, time.Millisecond, "one place is for the next client")

	s = startParking(t, 10, time.Minute)
	client = call(t, s.Addr().String())
	client.sends(t, echo("first"))
	client.hears(t, "first")
	s.isAway(t, 1)
	require.NoError(t, s.server.Shutdown(t.Context()))
	client.hearsTheEnd(t)
}

func TestABodyIsReadInTurns(t *testing.T) {
	h := openHouse(t, "", "")
	processors := h.input.door.inspector.processors
	client := call(t, h.listener.Address())
	upload := bodies.Generate(1, bodies.MB1)
	head := fmt.Sprintf("POST /v1/uploads HTTP/1.1\r\nHost: h\r\nAuthorization: Token token=%q\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		writeToken, len(upload))
	client.sends(t, head+string(upload[:100]))
	require.Never(t, func() bool { return processors.Held() > 0 || processors.Waiting() > 0 }, 50*time.Millisecond, time.Millisecond,
		"a client that sends nothing takes no turn")

	for range runtime.GOMAXPROCS(0) {
		require.NoError(t, processors.Acquire(t.Context(), "other", 1, 1))
	}
	sent := make(chan error, 1)
	go func() {
		_, err := io.Copy(client, bytes.NewReader(upload[100:]))
		sent <- err
	}()
	require.Eventually(t, func() bool { return processors.Waiting() == 1 }, 10*time.Second, time.Millisecond)
	require.Zero(t, h.input.door.gate.limiter.InFlight(), "it is not read yet, so it is not worked on")
	for range runtime.GOMAXPROCS(0) {
		processors.Release("other", 1)
	}
	require.NoError(t, <-sent)
	answer, err := http.ReadResponse(client.answers, nil)
	require.NoError(t, err)
	_ = answer.Body.Close()
	require.Equal(t, http.StatusAccepted, answer.StatusCode)
	require.Zero(t, processors.Held())
}
