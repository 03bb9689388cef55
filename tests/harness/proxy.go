package harness

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Proxy stands between clients and the brokers, reads which request passes, and
// strikes at the one it waits for: so a test pulls the plug at a named point of
// the protocol, and the binary has no hook for it.
type Proxy struct {
	// Addresses are what clients connect to.
	Addresses string

	mu    sync.Mutex
	armed []*Strike
	conns map[net.Conn]bool
}

// Requests of Kafka's protocol, by key.
const (
	RequestProduce         = 0
	RequestFetch           = 1
	RequestJoinGroup       = 11
	RequestHeartbeat       = 12
	RequestSyncGroup       = 14
	RequestInitProducerID  = 22
	RequestAddOffsetsToTxn = 25
	RequestEndTxn          = 26
	RequestTxnOffsetCommit = 28
)

// Strike waits for one request of one client.
type Strike struct {
	// Client is the client id, as the client says it of itself.
	Client string
	// Request is the request's key.
	Request int16
	// Answered strikes when the broker has done it and its answer is on the way
	// back, which the client then never sees; otherwise the broker never sees the request.
	Answered bool
	// Do is what happens then, before the connection is cut; nil only cuts it.
	Do func()

	struck chan struct{}
}

// Struck is closed when it has happened.
func (s *Strike) Struck() <-chan struct{} { return s.struck }

// Proxy starts a proxy in front of every broker and ends it with the test.
func (k *Kafka) Proxy() *Proxy {
	k.t.Helper()
	p := &Proxy{conns: map[net.Conn]bool{}}
	var addresses []string
	for n := range strings.Count(k.Addresses, ",") + 1 {
		raw, err := os.ReadFile(filepath.Join(k.dir, "proxy"+strconv.Itoa(n+1)))
		require.NoError(k.t, err)
		fields := strings.Fields(string(raw))
		listener, err := net.Listen("tcp", fields[1])
		require.NoError(k.t, err)
		addresses = append(addresses, fields[1])
		k.t.Cleanup(func() { _ = listener.Close() })
		go p.serve(listener, fields[0])
	}
	p.Addresses = strings.Join(addresses, ",")
	k.t.Cleanup(p.Cut)
	return p
}

// Arm makes a strike wait for its request.
func (p *Proxy) Arm(t testing.TB, s *Strike) {
	t.Helper()
	s.struck = make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = append(p.armed, s)
}

// Disarm forgets what has not struck.
func (p *Proxy) Disarm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = nil
}

// Cut ends every connection that there is.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
	}
}

func (p *Proxy) serve(listener net.Listener, broker string) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go p.join(client, broker)
	}
}

// join carries frames both ways until one side ends.
func (p *Proxy) join(client net.Conn, broker string) {
	server, err := net.Dial("tcp", broker)
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.conns[client], p.conns[server] = true, true
	p.mu.Unlock()
	end := func() {
		_, _ = client.Close(), server.Close()
		p.mu.Lock()
		delete(p.conns, client)
		delete(p.conns, server)
		p.mu.Unlock()
	}
	defer end()
	// Answers that a strike waits for, by correlation id.
	var mu sync.Mutex
	awaited := map[uint32]*Strike{}
	go func() {
		defer end()
		_ = frames(server, client, func(frame []byte) bool {
			mu.Lock()
			strike := awaited[binary.BigEndian.Uint32(frame)]
			mu.Unlock()
			return strike == nil || !strike.strike()
		})
	}()
	_ = frames(client, server, func(frame []byte) bool {
		strike := p.match(frame)
		if strike == nil {
			return true
		}
		if strike.Answered {
			mu.Lock()
			awaited[binary.BigEndian.Uint32(frame[4:])] = strike
			mu.Unlock()
			return true
		}
		return !strike.strike()
	})
}

// match takes the strike that waits for this request out of the armed ones.
func (p *Proxy) match(frame []byte) *Strike {
	if len(frame) < 10 {
		return nil
	}
	request, size := int16(binary.BigEndian.Uint16(frame)), int(int16(binary.BigEndian.Uint16(frame[8:])))
	if size < 0 || len(frame) < 10+size {
		return nil
	}
	client := string(frame[10 : 10+size])
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, s := range p.armed {
		if s.Request == request && s.Client == client {
			p.armed = append(p.armed[:i:i], p.armed[i+1:]...)
			return s
		}
	}
	return nil
}

func (s *Strike) strike() bool {
	if s.Do != nil {
		s.Do()
	}
	close(s.struck)
	return true
}

var errCut = errors.New("cut")

// frames copies length-prefixed frames while pass agrees.
func frames(from io.Reader, to io.Writer, pass func(frame []byte) bool) error {
	var frame []byte
	for {
		var size [4]byte
		if _, err := io.ReadFull(from, size[:]); err != nil {
			return err
		}
		n := int(binary.BigEndian.Uint32(size[:]))
		if cap(frame) < n+4 {
			frame = make([]byte, n+4)
		}
		frame = frame[:n+4]
		copy(frame, size[:])
		if _, err := io.ReadFull(from, frame[4:]); err != nil {
			return err
		}
		if n >= 4 && !pass(frame[4:]) {
			return errCut
		}
		if _, err := to.Write(frame); err != nil {
			return err
		}
	}
}
