package collector

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/collector/tenant"
)

const (
	writeToken = "te_write"
	readToken  = "te_read"
	oldToken   = "te_old"
	smallToken = "te_small"
)

var suitesForTests = `
suites:
  - organization: acme
    suite: api
    default_branch: trunk
    tokens:
      - {name: ci, hash: "` + tenant.HashToken(writeToken).String() + `", scopes: [write, read]}
      - {name: page, hash: "` + tenant.HashToken(readToken).String() + `", scopes: [read]}
      - {name: trial, hash: "` + tenant.HashToken(oldToken).String() + `", expires: 2020-01-01}
  - organization: acme
    suite: small
    tokens:
      - {name: ci, hash: "` + tenant.HashToken(smallToken).String() + `"}
    limits: {body: 100B}
`

// house is a front door on a real port with a stream behind it that acks as sink says.
type house struct {
	t        testing.TB
	listener *Listener
	input    *input
	suites   string
	data     string
	tell     io.Writer

	mu   sync.Mutex
	sink func(service.MessageBatch) error
	got  []*service.Message
	stop context.CancelFunc
	read sync.WaitGroup
}

func openHouse(t testing.TB, listenerYAML, inputYAML string) *house {
	t.Helper()
	dir := t.TempDir()
	h := &house{t: t, suites: filepath.Join(dir, "suites.yaml"), data: filepath.Join(dir, "data")}
	require.NoError(t, os.WriteFile(h.suites, []byte(suitesForTests), 0o600))
	h.open(listenerYAML, "suites_file: "+h.suites+"\ndata: "+h.data+"\n"+inputYAML)
	return h
}

func (h *house) open(listenerYAML, inputYAML string) {
	t := h.t
	t.Helper()
	env := service.NewEnvironment()
	parsed, err := listenerSpec().ParseYAML("address: 127.0.0.1:0\n"+listenerYAML, env)
	require.NoError(t, err)
	config, err := listenerFromParsed(parsed)
	require.NoError(t, err)
	if h.tell == nil {
		h.tell = io.Discard
	}
	h.listener = newListener(config, nil)
	parsed, err = inputSpec().ParseYAML(inputYAML, env)
	require.NoError(t, err)
	doorConfig, err := doorFromParsed(parsed)
	require.NoError(t, err)
	h.input, err = mount(doorConfig, h.listener, service.MockResources(), h.tell)
	require.NoError(t, err)
	require.NoError(t, h.input.Connect(context.Background()))

	ctx, cancel := context.WithCancel(context.Background())
	h.stop = cancel
	h.read.Go(func() {
		for {
			batch, ack, err := h.input.ReadBatch(ctx)
			if err != nil {
				return
			}
			h.mu.Lock()
			sink := h.sink
			if _, benchmark := t.(*testing.B); !benchmark {
				h.got = append(h.got, batch...)
			}
			h.mu.Unlock()
			var verdict error
			if sink != nil {
				verdict = sink(batch)
			}
			_ = ack(ctx, verdict)
		}
	})
	t.Cleanup(h.close)
}

func (h *house) close() {
	h.stop()
	h.read.Wait()
	require.NoError(h.t, h.input.Close(context.Background()))
	require.NoError(h.t, h.listener.Close(context.Background()))
}

// messages are those the stream has been given so far.
func (h *house) messages() []*service.Message {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.got
}

func (h *house) url() string { return "http://" + h.listener.Address() }

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) message(t *testing.T) string {
	t.Helper()
	var body struct {
		Message string `json:"message"`
	}
	require.NoError(t, json.Unmarshal([]byte(r.body), &body), "every refusal is {message}: %s", r.body)
	require.Equal(t, "application/json", r.header.Get("Content-Type"))
	return body.Message
}

func (h *house) send(t *testing.T, body io.Reader, headers ...string) reply {
	t.Helper()
	return h.request(t, http.MethodPost, "/v1/uploads", body, headers...)
}

func (h *house) request(t *testing.T, method, path string, body io.Reader, headers ...string) reply {
	t.Helper()
	answer, err := h.try(t.Context(), method, path, body, headers...)
	require.NoError(t, err)
	return answer
}

// try is request for goroutines of a test.
func (h *house) try(ctx context.Context, method, path string, body io.Reader, headers ...string) (reply, error) {
	request, err := http.NewRequestWithContext(ctx, method, h.url()+path, body)
	if err != nil {
		return reply{}, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	answered, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(answered)}, err
}

// inBackground uploads while the test goes on.
func (h *house) inBackground(ctx context.Context, body []byte) <-chan reply {
	answers := make(chan reply, 1)
	go func() {
		answer, err := h.try(ctx, http.MethodPost, "/v1/uploads", bytes.NewReader(body),
			"Authorization", "Token "+writeToken, "Content-Type", "application/json")
		if err != nil {
			answer.body = err.Error()
		}
		answers <- answer
	}()
	return answers
}

// upload sends a JSON body with the writing token.
func (h *house) upload(t *testing.T, body []byte, headers ...string) reply {
	t.Helper()
	return h.send(t, bytes.NewReader(body), append([]string{"Authorization", "Token " + writeToken, "Content-Type", "application/json"}, headers...)...)
}

func body(executions string) []byte {
	return []byte(`{"format":"json","run_env":{"CI":"generic","key":"build-1"},"data":[` + executions + `]}`)
}

const oneExecution = `{"scope":"Invoice","name":"adds VAT","result":"passed","history":{"section":"top","duration":0.1}}`
