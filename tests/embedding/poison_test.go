package embedding

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	_ "github.com/connect-testengine/connect-testengine/plugins/statestore" // resource testengine_state
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	_ "github.com/connect-testengine/connect-testengine/plugins/uploadlog" // buffer upload_log
	_ "github.com/connect-testengine/connect-testengine/plugins/window"    // window_aggregate
)

// Others' events behind our log in one process: there are no dead letters, a
// record that fails comes again until it does not.
const othersStream = `
logger: {level: "OFF"}
http: {enabled: false}
# With a schema of its own the builder adds an inproc input and output, which would feed each other.
input: {generate: {mapping: root = deleted(), interval: 1h}}
output: {drop: {}}
testengine_state:
  - {label: state, path: %[1]s/state}
buffer:
  upload_log: {path: %[1]s/log, state: state, min_free_bytes: 1MB, min_free_percent: 0, segment_bytes: 1MB}
pipeline:
  threads: 2
  processors:
    - window_aggregate:
        state: state
        by: [ key ]
        time: at
        time_unit: s
        delay: 0s
        max_ahead: 0s
        percentile_error: 0.001
        max_key_bytes: %[2]d
        hot_windows: 1
        window: {size: 1m}
        aggregates:
          - {name: n, function: count}
          - {name: v, function: percentiles, field: v}
`

func TestAnEventThatCannotBeKeptDoesNotStopTheStream(t *testing.T) {
	for name, c := range map[string]struct {
		maxKey int
		event  string
		want   string
	}{
		"a key of 70 KB": {1024, `{"key":"` + strings.Repeat("k", 70<<10) + `","at":2,"v":1}`, "rejected: reading by: the key is longer than max_key_bytes"},
		"a key of 70 KB where the longest keys are allowed": {16384, `{"key":"` + strings.Repeat("k", 70<<10) + `","at":2,"v":1}`, "rejected: reading by: the key is longer than max_key_bytes"},
		"a number larger than any bucket":                   {1024, `{"key":"a","at":2,"v":1e300}`, "applied: "},
	} {
		t.Run(name, func(t *testing.T) {
			send, said := othersRun(t, c.maxKey)
			for _, event := range []string{`{"key":"a","at":1,"v":1}`, c.event, `{"key":"b","at":3,"v":1}`, `{"key":"a","at":4,"v":1}`, `{"key":"a","at":60}`} {
				require.NoError(t, send(t.Context(), service.NewMessage([]byte(event))))
			}
			var all []string
			for len(all) < 6 {
				select {
				case one := <-said:
					if !strings.HasPrefix(one, string(testengine.KindTick)) {
						all = append(all, one)
					}
				case <-time.After(20 * time.Second):
					require.FailNow(t, "the lane is held", "said so far: %q", all)
				}
			}
			require.Equal(t, []string{"applied: ", c.want, "applied: ", "applied: ", "window: ", "window: "}, all)
		})
	}
}

// othersRun starts the stream. said are the kind and reason of what leaves, in order.
func othersRun(t *testing.T, maxKey int) (send service.MessageHandlerFunc, said <-chan string) {
	t.Helper()
	b := service.NewStreamBuilder()
	b.SetSchema(service.GlobalEnvironment().FullConfigSchema("", ""))
	require.NoError(t, b.SetYAML(fmt.Sprintf(othersStream, t.TempDir(), maxKey)))
	send, err := b.AddProducerFunc()
	require.NoError(t, err)
	out := make(chan string, 100)
	require.NoError(t, b.AddConsumerFunc(func(_ context.Context, m *service.Message) error {
		out <- fmt.Sprintf("%s: %s", message.Kind(m), message.Text(m, "reason"))
		return nil
	}))
	stream, err := b.Build()
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- stream.Run(context.Background()) }()
	t.Cleanup(func() {
		require.NoError(t, stream.StopWithin(20*time.Second))
		require.NoError(t, <-done)
	})
	return send, out
}
