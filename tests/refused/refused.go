// Package refused runs streams of which a component refuses to work.
package refused

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/refusal"
)

// Stream runs the configuration until the stream has ended by itself and returns
// what it logged as errors.
func Stream(t *testing.T, env *service.Environment, yaml string) string {
	t.Helper()
	builder := env.NewStreamBuilder()
	builder.SetSchema(env.FullConfigSchema("", ""))
	require.NoError(t, builder.SetYAML(yaml))
	var logged bytes.Buffer
	builder.SetLogger(slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelError})))
	stream, err := builder.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(context.Background()) }()
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(30 * time.Second):
		require.FailNow(t, "the stream goes on")
	}
	require.True(t, refusal.Refused())
	return logged.String()
}
