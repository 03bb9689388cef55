package collector

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// safeBuffer takes the log while requests run.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// attacked is a house whose log is kept.
func attacked(t *testing.T, more string) (*house, *safeBuffer) {
	t.Helper()
	h := openHouse(t, "read_header_timeout: 1s\nread_timeout: 2s\nmax_header_bytes: 16KB\n"+more, "max_body: 16MB\nmax_decoded: 24MB\nmax_wrong_tokens: 5\n")
	said := &safeBuffer{}
	h.input.door.log = service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(said, nil)))
	return h, said
}

// over is a way to reach a door.
type over struct {
	name string
	tls  *tls.Config // nil is plain
	two  bool        // HTTP/2
}

// transports runs a test against a door of its own for each way to it.
func transports(t *testing.T, two bool, test func(t *testing.T, h *house, said *safeBuffer, by over)) {
	t.Helper()
	certFile, keyFile, pool := selfSigned(t)
	ways := []over{{name: "plain"}, {name: "TLS", tls: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	if two {
		ways = append(ways, over{name: "HTTP 2 in plain", two: true}, over{name: "HTTP 2 over TLS", tls: ways[1].tls, two: true})
	}
	for _, by := range ways {
		t.Run(by.name, func(t *testing.T) {
			more := ""
			if by.tls != nil {
				more = "tls: {cert_file: " + certFile + ", key_file: " + keyFile + "}\n"
			}
			h, said := attacked(t, more)
			test(t, h, said, by)
			tells(t, h, said.String())
		})
	}
}

// client speaks as the way says, and nothing else.
func (o over) client(t *testing.T) *http.Client {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!o.two)
	protocols.SetHTTP2(o.two && o.tls != nil)
	protocols.SetUnencryptedHTTP2(o.two && o.tls == nil)
	transport := &http.Transport{TLSClientConfig: o.tls.Clone(), Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// dial opens a connection on which bytes are sent as they are.
func (o over) dial(t *testing.T, h *house) net.Conn {
	t.Helper()
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", h.listener.Address())
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	require.NoError(t, connection.SetDeadline(time.Now().Add(20*time.Second)))
	if o.tls == nil {
		return connection
	}
	config := o.tls.Clone()
	config.ServerName = "127.0.0.1"
	if o.two {
		config.NextProtos = []string{"h2"}
	}
	return tls.Client(connection, config)
}

// tells fails when an answer or the log holds what nobody outside may see.
func tells(t *testing.T, h *house, text string) {
	t.Helper()
	for _, secret := range []string{writeToken, readToken, "te_guess", "goroutine", "panic", ".go:", h.suites, h.data, "runtime error"} {
		require.NotContains(t, text, secret)
	}
}

// wire sends bytes as they are and reads one answer. The connection stays open
// for writing: nothing tells the server that no more will come.
func (o over) wire(t *testing.T, h *house, sent string) reply {
	t.Helper()
	connection := o.dial(t, h)
	_, _ = io.WriteString(connection, sent) // the server may have had enough
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		return reply{} // closed without an answer
	}
	defer func() { _ = response.Body.Close() }()
	answered, _ := io.ReadAll(response.Body) // whoever still sends may see a reset behind the answer
	return reply{response.StatusCode, response.Header, string(answered)}
}

func head(lines ...string) string {
	return "POST /v1/uploads HTTP/1.1\r\nHost: te.example\r\nAuthorization: Token " + writeToken + "\r\nContent-Type: application/json\r\n" +
		strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// TestAttacksOnTheWire are requests that no HTTP library sends. The server's own
// refusals (plain) come before there is a request, and are one sentence of text.
func TestAttacksOnTheWire(t *testing.T) {
	transports(t, false, attackOnTheWire)
}

func attackOnTheWire(t *testing.T, h *house, _ *safeBuffer, by over) {
	whole := string(body(oneExecution))
	length := fmt.Sprintf("Content-Length: %d", len(whole))
	chunk := fmt.Sprintf("%x\r\n%s\r\n", len(whole), whole)
	for _, test := range []struct {
		name, sent string
		status     int // 0: closed without an answer
		says       string
		plain      bool
	}{
		{name: "a header that never ends", sent: "POST /v1/uploads HTTP/1.1\r\nHost: x\r\n", status: 0},
		{name: "a body that never ends", sent: head("Content-Length: 1000") + "{", status: 408, says: "did not arrive in time"},
		{name: "a chunked body without end", sent: head("Transfer-Encoding: chunked") + chunk, status: 408, says: "did not arrive in time"},
		{name: "headers without measure", sent: head("X-Long: " + strings.Repeat("x", 64<<10)), status: 431, plain: true},
		{name: "a thousand headers", sent: head(strings.Repeat("X-A: "+strings.Repeat("y", 40)+"\r\n", 1000) + "X-B: z"), status: 431, plain: true},
		{name: "two lengths", sent: head(length, "Content-Length: 5") + whole, status: 400, plain: true},
		{name: "a negative length", sent: head("Content-Length: -1") + whole, status: 400, plain: true},
		{name: "a length that is no number", sent: head("Content-Length: 0x10") + whole, status: 400, plain: true},
		{name: "a length beyond numbers", sent: head("Content-Length: 99999999999999999999") + whole, status: 400, plain: true},
		{name: "a length beyond the limit", sent: head("Content-Length: 999999999999"), status: 413, says: "larger than 16000000 bytes"},
		{name: "a coding of transfer nobody knows", sent: head("Transfer-Encoding: gzip, chunked") + chunk, status: 501, plain: true},
		{name: "two codings of transfer", sent: head("Transfer-Encoding: chunked", "Transfer-Encoding: identity") + chunk + "0\r\n\r\n", status: 501, plain: true},
		{name: "a chunk whose size is no number", sent: head("Transfer-Encoding: chunked") + "xyz\r\n{}\r\n0\r\n\r\n", status: 400, says: "could not be read"},
		{name: "a chunk larger than its size", sent: head("Transfer-Encoding: chunked") + "1\r\n{}\r\n0\r\n\r\n", status: 400, says: "could not be read"},
		{name: "trailers that name a token", sent: head("Transfer-Encoding: chunked", "Trailer: Authorization", "Connection: close") + chunk + "0\r\nAuthorization: Token other\r\n\r\n", status: 202},
		{name: "trailers without measure", sent: head("Transfer-Encoding: chunked") + chunk + "0\r\n" + strings.Repeat("X-A: "+strings.Repeat("y", 1000)+"\r\n", 1000) + "\r\n", status: 400, says: "could not be read"},
		{name: "a chunk with a megabyte of extension", sent: head("Transfer-Encoding: chunked") + "3;" + strings.Repeat("e", 1<<20) + "\r\n{}\r\n0\r\n\r\n", status: 400, says: "could not be read"},
		{name: "chunks of one byte with much about them", sent: head("Transfer-Encoding: chunked") + strings.Repeat("1;"+strings.Repeat("x", 30)+"\r\n \r\n", 10_000) + "0\r\n\r\n", status: 400, says: "could not be read"},
		{name: "an expectation of something else", sent: head("Expect: tea", length) + whole, status: 417, plain: true},
		{name: "a body announced and never sent", sent: head("Expect: 100-continue", "Content-Length: 100"), status: 100, plain: true},
		{name: "two tokens", sent: head("Authorization: Token other", length, "Connection: close") + whole, status: 202},
		{name: "a line folded into the next", sent: head("X-A: b\r\n c: d", length) + whole, status: 202},
		{name: "a space before the colon", sent: head("Content-Length : 3", length) + whole, status: 400, plain: true},
		{name: "no host", sent: "POST /v1/uploads HTTP/1.1\r\n\r\n", status: 400, plain: true},
		{name: "two hosts", sent: head("Host: other", length) + whole, status: 400, plain: true},
		{name: "a request without a version", sent: "POST /v1/uploads\r\n\r\n", status: 400, plain: true},
		{name: "NUL in a header", sent: head("X-A: a\x00b", length) + whole, status: 400, plain: true},
		{name: "a tunnel", sent: "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", status: 404, says: "collectors send to /v1/uploads"},
		{name: "another server's address", sent: strings.Replace(head(length), "/v1/uploads", "http://evil.example/v1/uploads", 1) + whole, status: 202},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := by.wire(t, h, test.sent)
			require.Equal(t, test.status, answer.status, answer.body)
			tells(t, h, answer.body+fmt.Sprint(answer.header))
			switch {
			case test.plain:
				require.Less(t, len(answer.body), 200)
			case answer.status >= 400:
				require.Contains(t, answer.message(t), test.says)
			}
		})
	}
}

func junitBomb() string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">`)
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, `<!ENTITY a%d "%s">`, i, strings.Repeat(fmt.Sprintf("&a%d;", i-1), 10))
	}
	b.WriteString(`<!ENTITY file SYSTEM "file:///etc/passwd">]><testsuite name="s"><testcase name="a"><failure message="&a11;">&a11;&file;</failure></testcase></testsuite>`)
	return b.String()
}

func TestBodiesThatAreAttacks(t *testing.T) {
	transports(t, true, attackWithBodies)
}

func attackWithBodies(t *testing.T, h *house, _ *safeBuffer, by over) {
	client := by.client(t)
	const jsonType, formType = "application/json", "multipart/form-data; boundary=" + boundary
	zeros := []byte(`{"data":[],"pad":"` + strings.Repeat("0", 25_000_000) + `"}`)
	parts := make([]string, 0, 2002)
	for i := range 1001 {
		parts = append(parts, fmt.Sprintf("tags[k%d]", i), "v")
	}
	for _, test := range []struct {
		name, contentType string
		encodings         []string
		body              []byte
		status            int
		says              string
	}{
		{"a gzip bomb", jsonType, []string{"gzip"}, packed(zeros), 413, "after decompression"},
		{"a zstd bomb", jsonType, []string{"zstd"}, packedWith(t, zeros, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }), 413, "after decompression"},
		{"a deflate bomb", jsonType, []string{"deflate"}, packedWith(t, zeros, func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil }), 413, "after decompression"},
		{"a bomb in a bomb", jsonType, []string{"gzip"}, packed(packed(zeros)), 400, "broken at byte 0"},
		{"a gzip that is none", jsonType, []string{"gzip"}, body(""), 400, "broken at byte"},
		{"a gzip with another sum", jsonType, []string{"gzip"}, append(bytes.Clone(packed(body("")))[:len(packed(body("")))-8], make([]byte, 8)...), 400, "invalid checksum"},
		{"a gzip with something behind it", jsonType, []string{"gzip"}, append(packed(body("")), "garbage"...), 400, "broken at byte"},
		{"a gzip of a hundred thousand empty ones", jsonType, []string{"gzip"}, append(bytes.Repeat(packed(nil), 100_000), packed(body(""))...), 202, ""},
		{"a gzip whose name has 10 MB", jsonType, []string{"gzip"}, append([]byte("\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x03"), bytes.Repeat([]byte("n"), 10_000_000)...), 400, "invalid header"},
		{"a zstd with a window of exabytes", jsonType, []string{"zstd"}, []byte("\x28\xb5\x2f\xfd\x00\xff\x01\x00\x00"), 400, "window size exceeded"},
		{"a zstd that says it had exabytes", jsonType, []string{"zstd"}, []byte("\x28\xb5\x2f\xfd\xe0\x00\x00\x00\x00\x00\x00\x00\x10\x11\x00\x00{}"), 400, "size exceeds"},
		{"a zstd of a hundred thousand frames to skip", jsonType, []string{"zstd"}, bytes.Repeat([]byte("\x50\x2a\x4d\x18\x04\x00\x00\x00skip"), 100_000), 400, "it ends too early"},
		{"two encodings in one header", jsonType, []string{"gzip, gzip"}, packed(packed(body(""))), 415, "Content-Encoding"},
		{"two headers of encoding", jsonType, []string{"gzip", "gzip"}, packed(packed(body(""))), 415, "more than once"},
		{"entities of entities, and a file", formType, nil, form("format", "junit", "data", junitBomb()), 400, "document types with declarations of their own are refused"},
		{"JSON a million deep", jsonType, nil, []byte(`{"data":[{"name":"a","x":` + strings.Repeat("[", 1_000_000)), 400, "nests too deep"},
		{"XML a million deep", formType, nil, form("format", "junit", "data", strings.Repeat("<testsuite>", 1_000_000)), 400, "nests too deep"},
		{"a hundred thousand records", jsonType, nil, body(strings.Repeat(`{"name":"a"},`, 99_999) + `{"name":"a"}`), 202, ""},
		{"a thousand and one parts", formType, nil, form(parts...), 400, "parts"},
		{"a hundred thousand parts", formType, nil, form(slices.Repeat([]string{"tags[a]", "v"}, 100_000)...), 400, "too many parts"},
		{"a key of brackets in brackets", formType, nil, form("run_env"+strings.Repeat("[a]", 10_000), "v", "format", "json", "data", "[]"), 202, ""},
		{"two files in a form", formType, nil, form("format", "json", "data", "[]", "data", "[]"), 400, "a second part named data"},
		{"a key of a megabyte", jsonType, nil, []byte(`{"run_env":{"` + strings.Repeat("k", 1<<20) + `":"v"},"data":[{"name":"a","` + strings.Repeat("k", 1<<20) + `":1}]}`), 202, ""},
		{"a run's key of a megabyte", jsonType, nil, []byte(`{"run_env":{"key":"` + strings.Repeat("k", 1<<20) + `"},"data":[{"name":"a"}]}`), 202, ""},
		{"a hundred thousand tags", jsonType, nil, []byte(`{"tags":{` + strings.Repeat(`"k":"v",`, 100_000) + `"l":"v"},"data":[]}`), 202, ""},
		{"text that is no UTF-8", jsonType, nil, body("{\"name\":\"a\xff\xfe\"}"), 202, ""},
		{"a NUL byte", jsonType, nil, body("{\"name\":\"a\x00\"}"), 400, "broken at byte"},
		{"a NUL that is escaped", jsonType, nil, body(`{"name":"a\u0000b"}`), 202, ""},
		{"half a character", jsonType, nil, body(`{"name":"a\ud800"}`), 202, ""},
		{"keys that come twice", jsonType, nil, []byte(`{"data":[],"data":[{"name":"a"}],"run_env":{"key":"a"},"run_env":{"key":"b"},"format":"json","format":"json"}`), 202, ""},
		{"a number beyond numbers", jsonType, nil, body(`{"name":"a","history":{"duration":1e999999}}`), 202, ""},
		{"an index of 10 MB of digits", jsonType, nil, body(`{"name":"a","history":{"duration":` + strings.Repeat("9", 10_000_000) + `}}`), 202, ""},
		{"a boundary of nothing", "multipart/form-data; boundary=", nil, form("format", "json"), 415, "Content-Type"},
		{"a boundary of a megabyte", jsonType + "; x=" + strings.Repeat("y", 8000), nil, body(""), 202, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, by.url(h), bytes.NewReader(test.body))
			require.NoError(t, err)
			request.Header.Set("Authorization", "Token "+writeToken)
			request.Header.Set("Content-Type", test.contentType)
			request.Header["Content-Encoding"] = test.encodings
			started := time.Now()
			response, err := client.Do(request)
			require.NoError(t, err)
			require.Equal(t, by.two, response.ProtoMajor == 2)
			answered, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			answer := reply{response.StatusCode, response.Header, string(answered)}
			require.Equal(t, test.status, answer.status, answer.body)
			require.Less(t, time.Since(started), 5*time.Second)
			tells(t, h, answer.body)
			require.NotContains(t, answer.body, "root:")
			if test.status != http.StatusAccepted {
				require.Contains(t, answer.message(t), test.says)
				require.Less(t, len(answer.body), 1000)
			} else {
				require.True(t, json.Valid(answered))
			}
		})
	}
}

func TestGuessedTokensAreFew(t *testing.T) {
	transports(t, true, func(t *testing.T, h *house, _ *safeBuffer, by over) {
		client, statuses, started := by.client(t), map[int]int{}, time.Now()
		for i := range 50 {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, by.url(h), bytes.NewReader(body(oneExecution)))
			require.NoError(t, err)
			request.Header = http.Header{"Authorization": {fmt.Sprintf("Token te_guess%d", i)}, "Content-Type": {"application/json"}}
			response, err := client.Do(request)
			require.NoError(t, err)
			answered, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			answer := reply{response.StatusCode, response.Header, string(answered)}
			statuses[answer.status]++
			answer.message(t)
			tells(t, h, answer.body)
			if answer.status == http.StatusTooManyRequests {
				require.NotEmpty(t, answer.header.Get("Retry-After"))
			}
		}
		refilled := int(time.Since(started) / (12 * time.Second)) // Five a minute: a slow machine has seen some come back.
		require.Equal(t, 50, statuses[401]+statuses[429], statuses)
		require.GreaterOrEqual(t, statuses[401], 5)
		require.LessOrEqual(t, statuses[401], 5+refilled)
		require.Empty(t, h.messages())
	})
}

func (o over) url(h *house) string {
	if o.tls != nil {
		return "https://" + h.listener.Address() + "/v1/uploads"
	}
	return h.url() + "/v1/uploads"
}

func TestMetadataCannotBeForgedInHeadersAndForms(t *testing.T) {
	h, _ := attacked(t, "")
	names := []string{
		testengine.MetaKind, testengine.MetaOrg, testengine.MetaSuite, testengine.MetaUploadID, testengine.MetaReceivedAt,
		testengine.MetaLogID, testengine.MetaPartition, testengine.MetaOffset, testengine.MetaLogTime, testengine.MetaRunKey,
	}
	parts := []string{"format", "json", "data", `[{"name":"a"}]`}
	headers := []string{"Authorization", "Token " + writeToken, "Content-Type", "multipart/form-data; boundary=" + boundary}
	for _, name := range names {
		parts = append(parts, name, "9", "run_env["+name+"]", "9")
		headers = append(headers, name, "9", "X-Testengine-"+name, "9", "X-Benthos-"+name, "9")
	}
	answer := h.send(t, bytes.NewReader(form(parts...)), headers...)
	require.Equal(t, http.StatusAccepted, answer.status, answer.body)
	require.Len(t, h.messages(), 1)
	found := map[string]bool{}
	require.NoError(t, h.messages()[0].MetaWalkMut(func(key string, value any) error {
		found[key] = true
		require.NotContains(t, []any{"9", int64(9)}, value, key)
		return nil
	}))
	require.Equal(t, map[string]bool{
		testengine.MetaKind: true, testengine.MetaBodyGiven: true, testengine.MetaOrg: true, testengine.MetaSuite: true, testengine.MetaDefaultBranch: true,
		testengine.MetaUploadID: true, testengine.MetaReceivedAt: true, testengine.MetaWaited: true, testengine.MetaContentType: true,
	}, found)
}
