package accounting

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure" // the buffer none
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	_ "github.com/connect-testengine/connect-testengine/plugins/chunk" // webhook_chunk
	_ "github.com/connect-testengine/connect-testengine/plugins/duckdb"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	_ "github.com/connect-testengine/connect-testengine/plugins/upload" // upload_decode
)

// feed is an input that gives what it is told and says when it is stored.
type feed struct {
	messages chan *service.Message
	stored   sync.WaitGroup
}

func (*feed) Connect(context.Context) error { return nil }

func (f *feed) Read(ctx context.Context) (*service.Message, service.AckFunc, error) {
	select {
	case m := <-f.messages:
		return m, func(_ context.Context, err error) error {
			f.stored.Done()
			return err
		}, nil
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

func (*feed) Close(context.Context) error { return nil }

// numbers stands where a log would: each record has its place.
type numbers struct{ offset atomic.Int64 }

func (n *numbers) Process(_ context.Context, m *service.Message) (service.MessageBatch, error) {
	at, _ := message.Int(m, testengine.MetaReceivedAt)
	m.MetaSetMut(testengine.MetaLogID, "log_accounting")
	m.MetaSetMut(testengine.MetaPartition, int64(0))
	m.MetaSetMut(testengine.MetaOffset, n.offset.Add(1))
	m.MetaSetMut(testengine.MetaLogTime, at)
	return service.MessageBatch{m}, nil
}

func (*numbers) Close(context.Context) error { return nil }

// counts are the counters of the stream, by name and label values.
type counts struct {
	mu sync.Mutex
	of map[string]int64
}

type counter struct {
	all *counts
	key string
}

func (c counter) Incr(n int64) {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	c.all.of[c.key] += n
}

type ignored struct{}

func (ignored) Timing(int64) {}
func (ignored) Set(int64)    {}

func (c *counts) NewCounterCtor(name string, labels ...string) service.MetricsExporterCounterCtor {
	return func(values ...string) service.MetricsExporterCounter {
		own := values
		if len(labels) >= 2 && labels[0] == "label" { // the host's own labels stand in front
			own = values[2:]
		}
		return counter{c, strings.Join(append([]string{name}, own...), "|")}
	}
}

func (*counts) NewTimerCtor(string, ...string) service.MetricsExporterTimerCtor {
	return func(...string) service.MetricsExporterTimer { return ignored{} }
}

func (*counts) NewGaugeCtor(string, ...string) service.MetricsExporterGaugeCtor {
	return func(...string) service.MetricsExporterGauge { return ignored{} }
}

func (*counts) Close(context.Context) error { return nil }

func (c *counts) get(key string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[key]
}

// sum adds up all counters whose key begins so.
func (c *counts) sum(prefix string) (sum int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, n := range c.of {
		if strings.HasPrefix(key, prefix) {
			sum += n
		}
	}
	return sum
}

// pipeline runs webhook_chunk, upload_decode and DuckDB in memory behind a feed.
func pipeline(t *testing.T) (*feed, *counts, query.Store) {
	t.Helper()
	in, counted := &feed{messages: make(chan *service.Message)}, &counts{of: map[string]int64{}}
	var store query.Store
	env := service.GlobalEnvironment().Clone()
	require.NoError(t, env.RegisterInput("accounting_feed", service.NewConfigSpec(), func(*service.ParsedConfig, *service.Resources) (service.Input, error) {
		return in, nil
	}))
	require.NoError(t, env.RegisterProcessor("accounting_numbers", service.NewConfigSpec(), func(_ *service.ParsedConfig, res *service.Resources) (service.Processor, error) {
		return &numbers{}, res.AccessCustomResource(context.Background(), "duckdb_database", "database", func(value any) { store, _ = value.(query.Store) })
	}))
	require.NoError(t, env.RegisterMetricsExporter("accounting_counts", service.NewConfigSpec(), func(*service.ParsedConfig, *service.Logger) (service.MetricsExporter, error) {
		return counted, nil
	}))
	builder := env.NewStreamBuilder()
	builder.SetSchema(env.FullConfigSchema("", ""))
	require.NoError(t, builder.SetYAML(`
logger: {level: WARN}
http: {enabled: false}
metrics: {accounting_counts: {}}
duckdb_database:
  - {label: database, in_memory: true}
input: {accounting_feed: {}}
pipeline:
  threads: 1
  processors:
    - webhook_chunk: {}
    - accounting_numbers: {}
    - upload_decode: {}
output: {duckdb: {database: database}}
`))
	stream, err := builder.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(context.Background()) }()
	t.Cleanup(func() {
		require.NoError(t, stream.StopWithin(20*time.Second))
		require.NoError(t, <-ended)
	})
	in.give(service.NewMessage([]byte(`{"data":[]}`)), "other", 1) // the stream is built when it takes this
	require.NotNil(t, store)
	return in, counted, store
}

// give sends one upload and waits until it is stored: a lane has one batch in flight.
func (f *feed) give(m *service.Message, suite string, at int64) {
	raw, _ := m.AsBytes()
	m.MetaSetMut(testengine.MetaKind, string(testengine.KindUpload))
	m.MetaSetMut(testengine.MetaOrg, "acme")
	m.MetaSetMut(testengine.MetaSuite, suite)
	m.MetaSetMut(testengine.MetaDefaultBranch, "main")
	m.MetaSetMut(testengine.MetaUploadID, message.UploadID("acme", suite, raw))
	m.MetaSetMut(testengine.MetaReceivedAt, at)
	f.stored.Add(1)
	f.messages <- m
	f.stored.Wait()
}
