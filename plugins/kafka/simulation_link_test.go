//go:build synctests

package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// simNetwork is the way of one process to the brokers. It sees every request and
// may hold, delay or lose it, or lose its answer. What cannot pass waits, as on a
// network that loses packets; nothing fails at once but a connection that is cut.
type simNetwork struct {
	process *simProcess
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	// judge says what happens to a request.
	judge func(key kmsg.Key) simVerdict

	mu    sync.Mutex
	held  chan struct{} // not nil while nothing passes
	links map[*simLink]bool
}

// simVerdict is what happens to one request.
type simVerdict struct {
	delay      time.Duration
	lost       bool // the request never arrives, the connection ends
	answerLost bool // it arrives, and the connection ends before the answer
	before     func()
	after      func()
}

var errSimNetwork = errors.New("the simulated network is cut")

func newSimNetwork(p *simProcess, dial func(ctx context.Context, network, address string) (net.Conn, error), judge func(kmsg.Key) simVerdict) *simNetwork {
	return &simNetwork{process: p, dial: dial, judge: judge, links: map[*simLink]bool{}}
}

func (n *simNetwork) options() []kgo.Opt { return []kgo.Opt{kgo.Dialer(n.connect)} }

func (n *simNetwork) connect(ctx context.Context, network, address string) (net.Conn, error) {
	if !n.process.passage(ctx.Done()) || !n.passage(ctx.Done()) {
		return nil, errSimNetwork
	}
	conn, err := n.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l := &simLink{Conn: conn, network: n, closed: make(chan struct{}), queued: make(chan struct{}, 1)}
	n.mu.Lock()
	n.links[l] = true
	n.mu.Unlock()
	go l.pump()
	return l, nil
}

// hold stops everything on its way until release.
func (n *simNetwork) hold() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.held == nil {
		n.held = make(chan struct{})
	}
}

func (n *simNetwork) release() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.held != nil {
		close(n.held)
		n.held = nil
	}
}

// cut ends all connections.
func (n *simNetwork) cut() {
	n.mu.Lock()
	var all []*simLink
	for l := range n.links {
		all = append(all, l)
	}
	n.mu.Unlock()
	for _, l := range all {
		_ = l.Close()
	}
}

// passage waits while the network is held; false means that the link is closed.
func (n *simNetwork) passage(closed <-chan struct{}) bool {
	for {
		n.mu.Lock()
		held := n.held
		n.mu.Unlock()
		if held == nil {
			return true
		}
		select {
		case <-held:
		case <-closed:
			return false
		}
	}
}

// simLink is one connection. What is written waits in a queue, as in a kernel's
// buffer: it is delivered even while the process is frozen or after its death.
type simLink struct {
	net.Conn
	network *simNetwork
	closed  chan struct{}
	once    sync.Once
	queued  chan struct{}

	mu    sync.Mutex
	queue []simPacket
	deaf  bool // answers are lost
}

type simPacket struct {
	bytes   []byte
	at      time.Time
	verdict simVerdict
}

// Write implements net.Conn. The client writes one request at a time.
func (l *simLink) Write(b []byte) (int, error) {
	if !l.network.process.passage(l.closed) {
		_ = l.Close()
		return 0, errSimNetwork
	}
	verdict := l.network.judge(kmsg.Key(binary.BigEndian.Uint16(b[4:])))
	l.mu.Lock()
	l.queue = append(l.queue, simPacket{bytes: append([]byte(nil), b...), at: time.Now().Add(verdict.delay), verdict: verdict})
	l.mu.Unlock()
	select {
	case l.queued <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (l *simLink) pump() {
	defer l.Close() //nolint:errcheck // a pipe
	for {
		l.mu.Lock()
		var next *simPacket
		if len(l.queue) > 0 {
			next = &l.queue[0]
			l.queue = l.queue[1:]
		}
		l.mu.Unlock()
		if next == nil {
			select {
			case <-l.queued:
				continue
			case <-l.closed:
				return
			}
		}
		if !l.deliver(next) {
			return
		}
	}
}

func (l *simLink) deliver(p *simPacket) bool {
	if wait := time.Until(p.at); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.closed:
			return false
		}
	}
	if !l.network.passage(l.closed) {
		return false
	}
	if p.verdict.before != nil {
		p.verdict.before()
	}
	if p.verdict.lost {
		return false
	}
	if p.verdict.answerLost {
		l.mu.Lock()
		l.deaf = true
		l.mu.Unlock()
	}
	_, err := l.Conn.Write(p.bytes)
	if p.verdict.after != nil {
		p.verdict.after()
	}
	return err == nil
}

// Read implements net.Conn.
func (l *simLink) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	passed := l.network.passage(l.closed) && l.network.process.passage(l.closed)
	l.mu.Lock()
	deaf := l.deaf
	l.mu.Unlock()
	if deaf || !passed {
		_ = l.Close()
		return 0, errSimNetwork
	}
	return n, err
}

// Close implements net.Conn.
func (l *simLink) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.network.mu.Lock()
		delete(l.network.links, l)
		l.network.mu.Unlock()
	})
	return l.Conn.Close()
}
