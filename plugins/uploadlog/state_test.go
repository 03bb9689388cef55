package uploadlog

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/tests/counter"
)

const statefulStream = `
logger: {level: "OFF"}
# With a schema of its own the builder adds an inproc input and output, which would feed each other.
input: {generate: {mapping: root = deleted(), interval: 1h}}
output: {drop: {}}
testengine_state:
  - label: state
    path: %[1]s/state
buffer:
  upload_log:
    path: %[1]s/log
    state: state
    min_free_bytes: 1MB
    min_free_percent: 0
pipeline:
  processors:
    - counter: {state: state}
`

func TestStateGoesOnWhereTheLogGoesOn(t *testing.T) {
	env, dir := counter.Environment(t), t.TempDir()
	for life := range 3 {
		counts := make(chan [2]int64, 100)
		builder := env.NewStreamBuilder()
		builder.SetSchema(env.FullConfigSchema("", ""))
		require.NoError(t, builder.SetYAML(fmt.Sprintf(statefulStream, dir)))
		send, err := builder.AddProducerFunc()
		require.NoError(t, err)
		require.NoError(t, builder.AddConsumerFunc(func(_ context.Context, m *service.Message) error {
			count, _ := message.Int(m, "count")
			at, _ := message.Position(m)
			counts <- [2]int64{count, at.Offset}
			return nil
		}))
		stream, err := builder.Build()
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() { done <- stream.Run(context.Background()) }()
		for n := range 10 {
			require.NoError(t, send(t.Context(), upload("a", life*10+n)))
		}
		for n := range int64(10) {
			got := <-counts
			require.Equal(t, int64(life*10)+n+1, got[0], "offset %d", got[1])
		}
		if life == 0 {
			_, err := state.Open(disk.OS(), state.Options{Dir: filepath.Join(dir, "state")})
			require.ErrorContains(t, err, "in use by another process")
		}
		require.NoError(t, stream.StopWithin(20*time.Second))
		require.NoError(t, <-done)
	}
}
