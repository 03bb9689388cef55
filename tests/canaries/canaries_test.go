// Package canaries pins down the bugs of the host that our pipelines are built
// around. A canary that turns red says that upstream changed: read the rule in
// ARCHITECTURE.md that names it, then decide whether the rule can go.
package canaries

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
)

// source hands out one batch m0..m5 and retries what is nacked, as every stock
// input does.
type source struct{ sent bool }

func (*source) Connect(context.Context) error { return nil }

func (s *source) ReadBatch(context.Context) (service.MessageBatch, service.AckFunc, error) {
	if s.sent {
		return nil, nil, service.ErrEndOfInput
	}
	s.sent = true
	var batch service.MessageBatch
	for i := range 6 {
		batch = append(batch, service.NewMessage([]byte("m"+strconv.Itoa(i))))
	}
	return batch, func(context.Context, error) error { return nil }, nil
}

func (*source) Close(context.Context) error { return nil }

// sink fails m4 the first time it sees it, alone or with its whole batch.
type sink struct {
	mu        sync.Mutex
	failed    bool
	delivered []string
}

func (*sink) Connect(context.Context) error { return nil }

func (s *sink) WriteBatch(_ context.Context, batch service.MessageBatch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var failure *service.BatchError
	for i, m := range batch {
		raw, _ := m.AsBytes()
		if string(raw) == "m4" && !s.failed {
			s.failed = true
			failure = service.NewBatchError(batch, errors.New("not this time")).Failed(i, errors.New("not this time"))
			continue
		}
		s.delivered = append(s.delivered, string(raw))
	}
	if failure != nil {
		return failure
	}
	return nil
}

func (*sink) Close(context.Context) error { return nil }

// dropFirstThree is a filter written the safe way: one message at a time.
type dropFirstThree struct{}

func (dropFirstThree) Process(_ context.Context, m *service.Message) (service.MessageBatch, error) {
	raw, err := m.AsBytes()
	if err != nil || string(raw) < "m3" {
		return nil, err
	}
	return service.MessageBatch{m}, nil
}

func (dropFirstThree) Close(context.Context) error { return nil }

func deliver(t *testing.T, processors, output string) []string {
	t.Helper()
	env := service.NewEnvironment()
	to := &sink{}
	require.NoError(t, env.RegisterBatchInput("canary_source", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Resources) (service.BatchInput, error) {
			return service.AutoRetryNacksBatched(&source{}), nil
		}))
	require.NoError(t, env.RegisterProcessor("canary_filter", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Resources) (service.Processor, error) {
			return dropFirstThree{}, nil
		}))
	require.NoError(t, env.RegisterBatchOutput("canary_sink", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
			return to, service.BatchPolicy{}, 1, nil
		}))
	builder := env.NewStreamBuilder()
	require.NoError(t, builder.SetYAML("input: {canary_source: {}}\npipeline:\n  threads: 1\n  processors:\n    - "+
		processors+"\noutput:\n  "+output+"\nlogger: {level: NONE}\n"))
	stream, err := builder.Build()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	require.NoError(t, stream.Run(ctx))
	slices.Sort(to.delivered)
	return slices.Compact(to.delivered)
}

func TestNacksAfterAPositionChangingProcessor(t *testing.T) {
	for _, test := range []struct {
		name, processors, output string
		delivered                []string
	}{
		{
			"a single-message filter keeps what the output refused once",
			"canary_filter: {}", "canary_sink: {}",
			[]string{"m3", "m4", "m5"},
		},
		{
			"a deleting mapping loses it: the host nacks the wrong message",
			"mapping: 'root = if content().string() < \"m3\" { deleted() }'", "canary_sink: {}",
			[]string{"m3", "m5"},
		},
		{
			"the same mapping is safe when the output retries inside",
			"mapping: 'root = if content().string() < \"m3\" { deleted() }'",
			"retry: {output: {canary_sink: {}}}",
			[]string{"m3", "m4", "m5"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.delivered, deliver(t, test.processors, test.output))
		})
	}
}

// plainSource hands out one batch and takes a nack for an answer.
type plainSource struct{ sent bool }

func (*plainSource) Connect(context.Context) error { return nil }

func (s *plainSource) ReadBatch(context.Context) (service.MessageBatch, service.AckFunc, error) {
	if s.sent {
		return nil, nil, service.ErrEndOfInput
	}
	s.sent = true
	return service.MessageBatch{
		service.NewMessage([]byte("bad")), service.NewMessage([]byte("b")), service.NewMessage([]byte("c")),
	}, func(context.Context, error) error { return nil }, nil
}

func (*plainSource) Close(context.Context) error { return nil }

func TestStrictModeDeliversHealthyMessagesUnprocessed(t *testing.T) {
	env := service.NewEnvironment()
	to := &sink{}
	require.NoError(t, env.RegisterBatchInput("canary_source", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Resources) (service.BatchInput, error) {
			return &plainSource{}, nil
		}))
	require.NoError(t, env.RegisterBatchOutput("canary_sink", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
			return to, service.BatchPolicy{}, 1, nil
		}))
	builder := env.NewStreamBuilder()
	require.NoError(t, builder.SetYAML(`
input: {canary_source: {}}
pipeline:
  threads: 1
  processors:
    - mapping: 'root = if content().string() == "bad" { throw("bad") } else { content() }'
    - mapping: 'root = content().string() + "+processed"'
output: {canary_sink: {}}
error_handling: {strict: true}
logger: {level: NONE}
`))
	stream, err := builder.Build()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	require.NoError(t, stream.Run(ctx))
	require.Equal(t, []string{"b", "c"}, to.delivered,
		"upstream changed: in strict mode, healthy messages behind a bad one are no longer written unprocessed")
}
