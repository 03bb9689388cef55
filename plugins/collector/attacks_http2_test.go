package collector

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frames writes HTTP/2 as no library would.
type frames struct {
	*http2.Framer

	connection net.Conn

	t      *testing.T
	packed bytes.Buffer
	pack   *hpack.Encoder
}

func speakFrames(t *testing.T, h *house, by over) *frames {
	t.Helper()
	connection := by.dial(t, h)
	_, err := io.WriteString(connection, http2.ClientPreface)
	require.NoError(t, err)
	f := &frames{Framer: http2.NewFramer(connection, connection), connection: connection, t: t}
	f.AllowIllegalWrites = true
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.pack = hpack.NewEncoder(&f.packed)
	require.NoError(t, f.WriteSettings())
	return f
}

// head is a block of headers: those of an upload, and more as name, value.
func (f *frames) head(path string, more ...string) []byte {
	f.packed.Reset()
	fields := append([]string{
		":method", "POST", ":scheme", "http", ":authority", "te.example", ":path", path,
		"authorization", "Token " + writeToken, "content-type", "application/json",
	}, more...)
	for i := 0; i+1 < len(fields); i += 2 {
		require.NoError(f.t, f.pack.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
	}
	return bytes.Clone(f.packed.Bytes())
}

// request opens a stream; what the server thinks of it shows in the answer.
func (f *frames) request(stream uint32, head []byte, body string, end bool) {
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: head, EndHeaders: true})
	_ = f.WriteData(stream, end, []byte(body))
}

// answer reads until the stream has been answered to its end (its status and
// body), reset (0 and "reset") or the connection is over (0 and "closed").
func (f *frames) answer(stream uint32) (status int, body string) {
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return status, body + "closed"
		}
		if away, ok := frame.(*http2.GoAwayFrame); ok && away.ErrCode != http2.ErrCodeNo {
			return 0, "closed"
		}
		if frame.Header().StreamID != stream {
			continue
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			status, _ = strconv.Atoi(frame.PseudoValue("status"))
		case *http2.DataFrame:
			body += string(frame.Data())
		case *http2.RSTStreamFrame:
			if status == 0 {
				return 0, "reset"
			}
			return status, body
		}
		if frame.Header().Flags.Has(http2.FlagDataEndStream) {
			return status, body
		}
	}
}

func TestAttacksInFrames(t *testing.T) {
	transports(t, true, func(t *testing.T, h *house, _ *safeBuffer, by over) {
		if !by.two {
			return
		}
		attackInFrames(t, h, by)
	})
}

func attackInFrames(t *testing.T, h *house, by over) {
	whole := string(body(oneExecution))
	for _, test := range []struct {
		name, path string
		headers    []string
		body       string
		open       bool // the body never ends
		status     int
		says       string
		plain      bool
	}{
		{name: "an upload", path: "/v1/uploads", body: whole, status: 202},
		{name: "a body that never ends", path: "/v1/uploads", body: "{", open: true, status: 408, says: "did not arrive in time"},
		{name: "a length that is too short", path: "/v1/uploads", headers: []string{"content-length", "3"}, body: whole, says: "reset"},
		{name: "a length that is too long", path: "/v1/uploads", headers: []string{"content-length", "100000"}, body: whole, status: 400, says: "could not be read"},
		{name: "a length beyond the limit", path: "/v1/uploads", headers: []string{"content-length", "999999999999"}, open: true, status: 413, says: "larger than 16000000 bytes"},
		{name: "two lengths", path: "/v1/uploads", headers: []string{"content-length", "3", "content-length", "4"}, body: whole, says: "reset"},
		{name: "a coding of transfer, to be smuggled behind a proxy", path: "/v1/uploads", headers: []string{"transfer-encoding", "chunked"}, body: "0\r\n\r\nGET /ready HTTP/1.1\r\n\r\n", status: 400, plain: true},
		{name: "a header of the connection", path: "/v1/uploads", headers: []string{"connection", "keep-alive"}, body: whole, status: 400, plain: true},
		{name: "a line break in a header", path: "/v1/uploads", headers: []string{"x-a", "b\r\nx-c: d"}, body: whole, says: "reset"},
		{name: "NUL in a header", path: "/v1/uploads", headers: []string{"x-a", "a\x00b"}, body: whole, says: "reset"},
		{name: "a header in capitals", path: "/v1/uploads", headers: []string{"X-A", "b"}, body: whole, says: "reset"},
		{name: "a pseudo header that comes late", path: "/v1/uploads", headers: []string{":path", "/ready"}, body: whole, says: "reset"},
		{name: "a path that climbs", path: "/v1/../v1/uploads", body: whole, status: 404, says: "collectors send to"},
		{name: "a path that is escaped", path: "/v1/%2e%2e/v1/uploads", body: whole, status: 404, says: "collectors send to"},
		{name: "no path", path: "", body: whole, says: "reset"},
		{name: "another server's address", path: "http://evil.example/v1/uploads", body: whole, status: 202},
		{name: "headers without measure", path: "/v1/uploads", headers: []string{"x-long", strings.Repeat("x", 15<<10), "x-more", strings.Repeat("y", 15<<10)}, body: whole, says: "closed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := speakFrames(t, h, by)
			head := f.head(test.path, test.headers...)
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head[:min(len(head), 16000)], EndHeaders: len(head) <= 16000})
			for rest := head[min(len(head), 16000):]; len(rest) > 0; rest = rest[min(len(rest), 16000):] {
				_ = f.WriteContinuation(1, len(rest) <= 16000, rest[:min(len(rest), 16000)])
			}
			_ = f.WriteData(1, !test.open, []byte(test.body))
			status, said := f.answer(1)
			require.Equal(t, test.status, status, said)
			tells(t, h, said)
			if test.status >= 400 && !test.plain {
				var answered struct{ Message string }
				require.NoError(t, json.Unmarshal([]byte(said), &answered), said)
				require.Contains(t, answered.Message, test.says)
			} else if test.status == 0 {
				require.Contains(t, []string{test.says, "closed"}, said)
			}
		})
	}
	uploads := len(h.messages())
	require.Equal(t, 2, uploads, "nothing but what was answered 202 came in")

	t.Run("streams that are opened and reset at once", func(t *testing.T) {
		f := speakFrames(t, h, by)
		for i := range uint32(5000) {
			head := f.head("/v1/uploads")
			if f.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: head, EndHeaders: true}) != nil ||
				f.WriteRSTStream(2*i+1, http2.ErrCodeCancel) != nil {
				break // the server has had enough
			}
		}
		requireStillOpen(t, h, by, whole)
	})
	t.Run("headers that go on and on", func(t *testing.T) {
		f := speakFrames(t, h, by)
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.head("/v1/uploads"), EndHeaders: false})
		filler := f.head("/v1/uploads", "x-long", strings.Repeat("x", 8<<10))
		sent := 0
		for ; sent < 64<<20; sent += len(filler) {
			if f.WriteContinuation(1, false, filler) != nil {
				break
			}
		}
		require.Less(t, sent, 64<<20, "the connection ends")
		requireStillOpen(t, h, by, whole)
	})
	require.Len(t, h.messages(), uploads+2)
}

// requireStillOpen sends an upload of its own.
func requireStillOpen(t *testing.T, h *house, by over, whole string) {
	t.Helper()
	f := speakFrames(t, h, by)
	f.request(1, f.head("/v1/uploads"), whole, true)
	status, said := f.answer(1)
	require.Equal(t, 202, status, said)
}

// The rapid reset (CVE-2023-44487): streams that are opened and reset at once cost the sender nothing. The door goes on answering
// others, and nothing of them stays.
func TestStreamsThatAreResetAtOnceLeaveNothing(t *testing.T) {
	transports(t, true, func(t *testing.T, h *house, _ *safeBuffer, by over) {
		if !by.two {
			return
		}
		before := runtime.NumGoroutine()
		f := speakFrames(t, h, by)
		go func() { _, _ = io.Copy(io.Discard, f.connection) }() // what it says is not read as frames
		for i := range uint32(20_000) {
			stream := 2*i + 1
			if f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: f.head("/v1/uploads"), EndHeaders: true}) != nil ||
				f.WriteRSTStream(stream, http2.ErrCodeCancel) != nil {
				break // it has had enough
			}
		}
		fine := speakFrames(t, h, by)
		fine.request(1, fine.head("/v1/uploads"), string(body(oneExecution)), true)
		status, text := fine.answer(1)
		require.Equal(t, 202, status, text)
		_, _ = f.connection.Close(), fine.connection.Close()
		require.Eventually(t, func() bool { return runtime.NumGoroutine() < before+20 }, 10*time.Second, 10*time.Millisecond)
	})
}
