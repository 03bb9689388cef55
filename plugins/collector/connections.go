package collector

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// connections accepts no more connections than there are places. One that has
// left the server while it was idle keeps its place, is watched by a goroutine
// that needs an eighth of what the server's needs, and comes back with its next
// request as if it were new.
type connections struct {
	net.Listener
	parkAfter time.Duration
	places    chan struct{}
	accepted  chan accepted
	closed    chan struct{}

	mu     sync.Mutex
	parked map[*connection]struct{} // nil once it is closed
}

type accepted struct {
	conn net.Conn
	err  error
}

func listenFor(bound net.Listener, most int, parkAfter time.Duration) *connections {
	l := &connections{
		Listener: bound, parkAfter: parkAfter, places: make(chan struct{}, most), accepted: make(chan accepted), closed: make(chan struct{}),
		parked: map[*connection]struct{}{},
	}
	go l.acceptUntilClosed()
	return l
}

func (l *connections) acceptUntilClosed() {
	for {
		select {
		case l.places <- struct{}{}:
		case <-l.closed:
			return
		}
		conn, err := l.Listener.Accept()
		if err != nil {
			<-l.places
			l.hand(accepted{err: err})
			continue
		}
		var raw syscall.RawConn
		if system, ok := conn.(syscall.Conn); ok {
			raw, _ = system.SyscallConn() // Without it the connection is one like any other.
		}
		c := newConnection(conn, raw, l)
		if !l.hand(accepted{conn: c}) {
			_ = c.Close()
		}
	}
}

// hand gives a connection to the server; false means that it takes none any more.
func (l *connections) hand(a accepted) bool {
	select {
	case l.accepted <- a:
		return true
	case <-l.closed:
		return false
	}
}

// Accept waits for a connection: a new one, or one that is no longer idle.
func (l *connections) Accept() (net.Conn, error) {
	select {
	case a := <-l.accepted:
		return a.conn, a.err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// park watches a connection that has left the server.
func (l *connections) park(left *connection) {
	c := newConnection(left.Conn, left.raw, l)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.parked == nil || c.Conn.SetReadDeadline(left.deadline) != nil {
		_ = c.Close()
		return
	}
	l.parked[c] = struct{}{}
	go l.watch(c)
}

// watch waits until a parked connection brings a request or ends.
func (l *connections) watch(c *connection) {
	err := c.raw.Read(c.look)
	l.mu.Lock()
	delete(l.parked, c)
	l.mu.Unlock()
	if err != nil || c.arrived == 0 || !l.hand(accepted{conn: c}) {
		_ = c.Close()
	}
}

// end closes a connection and frees its place.
func (l *connections) end(c *connection) error {
	err := c.Conn.Close()
	<-l.places
	return err
}

// Close accepts nothing more and closes what is parked.
func (l *connections) Close() error {
	l.mu.Lock()
	parked := l.parked
	l.parked = nil
	l.mu.Unlock()
	if parked == nil {
		return nil // It was closed before.
	}
	close(l.closed)
	for c := range parked {
		_ = c.Close()
	}
	return l.Listener.Close()
}
