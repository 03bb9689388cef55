package collector

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// sink is an output that calls a function.
type sink service.MessageBatchHandlerFunc

func (s sink) Connect(context.Context) error { return nil }

func (s sink) WriteBatch(ctx context.Context, batch service.MessageBatch) error { return s(ctx, batch) }

func (s sink) Close(context.Context) error { return nil }

// streamOn builds the door into a stream of the host itself.
func streamOn(t *testing.T, address, dir string, consume service.MessageBatchHandlerFunc) *service.Stream {
	t.Helper()
	env := service.GlobalEnvironment().Clone()
	require.NoError(t, env.RegisterBatchOutput("collector_test_sink", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
			return sink(consume), service.BatchPolicy{}, 8, nil
		}))
	builder := env.NewStreamBuilder()
	builder.SetSchema(env.FullConfigSchema("", ""))
	require.NoError(t, builder.SetYAML(`
logger: {level: NONE}
http: {enabled: false}
http_listener:
  - label: listener
    address: `+address+`
input:
  broker:
    inputs:
      - collector_http:
          listener: listener
          suites_file: `+filepath.Join(dir, "suites.yaml")+`
          data: `+filepath.Join(dir, "data")+`
          quickstart: local/quickstart
          token: te_stream
output: {collector_test_sink: {}}
`))
	stream, err := builder.Build()
	require.NoError(t, err)
	return stream
}

func TestInAStreamOfTheHost(t *testing.T) {
	probe, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := probe.Addr().String()
	require.NoError(t, probe.Close())

	var mu sync.Mutex
	var taken []string
	dir := t.TempDir()
	stream := streamOn(t, address, dir, func(_ context.Context, batch service.MessageBatch) error {
		mu.Lock()
		defer mu.Unlock()
		for _, m := range batch {
			require.Equal(t, testengine.KindUpload, message.Kind(m))
			taken = append(taken, message.Text(m, testengine.MetaUploadID))
		}
		return nil
	})
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(context.Background()) }()
	require.Eventually(t, func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/ready", nil)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	}, 10*time.Second, 5*time.Millisecond)

	var senders sync.WaitGroup
	for n := range 20 {
		senders.Go(func() {
			raw := body(oneExecution + "," + `{"name":"case ` + string(rune('a'+n)) + `"}`)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/v1/uploads", bytes.NewReader(raw))
			if err != nil {
				t.Error(err)
				return
			}
			request.Header.Set("Authorization", "Token te_stream")
			request.Header.Set("Content-Type", "application/json")
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Error(err)
				return
			}
			_ = response.Body.Close()
			if response.StatusCode != http.StatusAccepted {
				t.Error(response.Status)
			}
		})
	}
	senders.Wait()
	http.DefaultClient.CloseIdleConnections()
	mu.Lock()
	require.Len(t, taken, 20)
	mu.Unlock()

	started := time.Now()
	require.NoError(t, stream.StopWithin(10*time.Second))
	require.NoError(t, <-ended)
	require.Less(t, time.Since(started), 5*time.Second)
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	require.NoError(t, err, "the address is free again")
	require.NoError(t, free.Close())
}

func TestSpecsAndExamplesLint(t *testing.T) {
	linter := service.GlobalEnvironment().FullConfigSchema("", "").NewStreamConfigLinter()
	for _, test := range []struct{ name, yaml, says string }{
		{"a token without its suite is a mistake", "input: {collector_http: {token: x}}", "name that suite in quickstart"},
		{"a quickstart is none", "input: {collector_http: {token: x, quickstart: a/b}}", ""},
		{"a misspelt field is found", "input: {collector_http: {listner: x}}", "listner"},
		{"half a certificate is found", "http_listener: [{label: l, tls: {cert_file: x}}]", "tls needs cert_file and key_file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			lints, err := linter.LintYAML([]byte(test.yaml))
			require.NoError(t, err)
			if test.says == "" {
				require.Empty(t, lints)
				return
			}
			require.NotEmpty(t, lints)
			require.Contains(t, lints[0].Error(), test.says)
		})
	}
}
