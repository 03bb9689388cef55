package collector

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// parkAfter is how long a connection keeps its place at the server without a
	// request: as long as a client takes that has another one to send.
	parkAfter = time.Second
	// serverBuffer is what net/http reads into: a read of so much begins with an
	// empty buffer, so that nothing is lost when the connection leaves the server.
	serverBuffer = 4 << 10
	// stretch is how much of a body is copied in one turn, leastInTurns from where
	// on a read is worth one.
	stretch      = 256 << 10
	leastInTurns = 16 << 10
)

// connection is a client's connection. It can do two things that net/http does
// not ask for: read a body in turns, and leave the server while it is idle.
type connection struct {
	net.Conn
	raw   syscall.RawConn
	home  *connections
	look  func(fd uintptr) bool // what arrived, kept so that waiting makes no garbage
	turns atomic.Pointer[turns]
	phase atomic.Int32

	// For the server's goroutine alone.
	leaves   bool // when it is idle: a request of HTTP/1 came over it
	between  betweenRequests
	deadline time.Time // of the server for the next request
	arrived  int       // bytes that are there, 0 at the end
}

// The phases of a connection.
const (
	connectionServed int32 = iota
	connectionLeaves
	connectionGone // parked or closed
)

// betweenRequests is how far the server is between two requests, where it always
// takes the same steps: it says that the connection is idle, sets the deadline for
// the next request, and reads, unless that request is in its buffer already. That
// read is the one in which a connection may leave.
type betweenRequests uint8

const (
	serving betweenRequests = iota
	saidIdle
	readsNext
)

func newConnection(conn net.Conn, raw syscall.RawConn, home *connections) *connection {
	c := &connection{Conn: conn, raw: raw, home: home}
	c.look = c.lookAt
	return c
}

// lookAt looks at what has arrived and leaves it there; false is nothing yet.
func (c *connection) lookAt(fd uintptr) bool {
	var one [1]byte
	n, _, err := unix.Recvfrom(int(fd), one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	c.arrived = max(0, n)
	return !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR)
}

// Read reads as any connection does, in turns where a body's reader asked for it.
func (c *connection) Read(p []byte) (int, error) {
	if c.raw == nil {
		return c.Conn.Read(p)
	}
	if len(p) >= leastInTurns {
		if turns := c.turns.Load(); turns != nil {
			return c.readInTurn(turns, p)
		}
	}
	if len(p) == serverBuffer && c.between == readsNext {
		return c.readIdle(p)
	}
	return c.Conn.Read(p)
}

// readInTurn waits for bytes first and for the turn then: a slow client keeps
// nobody waiting, and what a tenant has sent waits in the system until its turn.
func (c *connection) readInTurn(turns *turns, p []byte) (int, error) {
	if err := c.raw.Read(c.look); err != nil {
		return 0, err
	}
	if err := turns.take(); err != nil {
		return 0, err
	}
	defer turns.giveBack()
	return c.Conn.Read(p[:min(len(p), stretch)])
}

// readIdle waits for the next request for a moment; then the connection leaves
// the server, which is told that it has ended, and waits for less.
func (c *connection) readIdle(p []byte) (int, error) {
	c.between = serving
	moment := time.Now().Add(c.home.parkAfter)
	if !c.deadline.IsZero() && c.deadline.Before(moment) {
		return c.Conn.Read(p)
	}
	if err := c.Conn.SetReadDeadline(moment); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) && c.phase.CompareAndSwap(connectionServed, connectionLeaves) {
		return 0, io.EOF
	}
	if err == nil {
		err = c.Conn.SetReadDeadline(c.deadline)
	}
	return n, err
}

// SetReadDeadline is the server's second step between two requests.
func (c *connection) SetReadDeadline(t time.Time) error {
	switch c.between {
	case serving:
	case saidIdle:
		c.between, c.deadline = readsNext, t
	case readsNext:
		c.between = serving // It did not have to read.
	}
	return c.Conn.SetReadDeadline(t)
}

// Close closes the connection, or parks it when it leaves the server.
func (c *connection) Close() error {
	if c.phase.CompareAndSwap(connectionLeaves, connectionGone) {
		c.home.park(c)
		return nil
	}
	if c.phase.Swap(connectionGone) == connectionGone {
		return net.ErrClosed
	}
	return c.home.end(c)
}

// connectionState is the server's hook, and its first step between two requests.
func connectionState(conn net.Conn, state http.ConnState) {
	if c, ok := conn.(*connection); ok && c.leaves && state == http.StateIdle {
		c.between = saidIdle
	}
}

type connectionKey struct{}

// withConnection is the server's hook that lets a request find its connection.
func withConnection(ctx context.Context, conn net.Conn) context.Context {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if c, ok := conn.(*connection); ok {
		return context.WithValue(ctx, connectionKey{}, c)
	}
	return ctx
}

// connectionOf is the connection that a request has for itself; nil for HTTP/2,
// whose requests share one, with a goroutine that reads for all.
func connectionOf(r *http.Request) *connection {
	c, _ := r.Context().Value(connectionKey{}).(*connection)
	if r.ProtoMajor != 1 {
		return nil
	}
	return c
}

// mayLeave lets the request's connection leave the server when it is idle. What
// TLS and HTTP/2 know of a connection stays with the server.
func mayLeave(r *http.Request) {
	if c := connectionOf(r); c != nil && r.TLS == nil {
		c.leaves = true
	}
}

// readInTurns lets the body of a request be read in turns until done is called.
func readInTurns(r *http.Request, t *turns) (done func()) {
	c := connectionOf(r)
	if c == nil {
		return func() {}
	}
	c.turns.Store(t)
	return func() { c.turns.Store(nil) }
}
