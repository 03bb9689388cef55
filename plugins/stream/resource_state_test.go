package stream

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/stream/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// counter is a stateful processor: it counts the uploads of each suite.
type counter struct {
	provider state.Provider
	mu       sync.Mutex
	tables   map[int]*state.Table
}

func (c *counter) Process(ctx context.Context, m *service.Message) (service.MessageBatch, error) {
	at, ok := message.Position(m)
	if !ok {
		return nil, errors.New("the message has no position")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tables[at.Partition] == nil {
		table, err := c.provider.Table(ctx, "counter", at.Partition, "v1")
		if err != nil {
			return nil, err
		}
		c.tables[at.Partition] = table
	}
	table := c.tables[at.Partition]
	time, _ := message.Int(m, testengine.MetaLogTime)
	if err := table.Begin(at.Offset, time); err != nil {
		return nil, err
	}
	key := testengine.Hash(0, message.Text(m, testengine.MetaSuite))
	count, _ := table.Cell(key)
	table.SetCell(key, count+1)
	if err := table.End(); err != nil {
		return nil, err
	}
	m.MetaSetMut("count", int64(count+1))
	return service.MessageBatch{m}, nil
}

func (*counter) Close(context.Context) error { return nil }

// stateEnvironment has the processor counter beside everything else.
func stateEnvironment(t *testing.T) *service.Environment {
	env := service.GlobalEnvironment().Clone()
	require.NoError(t, env.RegisterProcessor("counter", service.NewConfigSpec().Field(service.NewStringField("state")),
		func(conf *service.ParsedConfig, res *service.Resources) (service.Processor, error) {
			label, err := conf.FieldString("state")
			if err != nil {
				return nil, err
			}
			c := &counter{tables: map[int]*state.Table{}}
			err = res.AccessCustomResource(context.Background(), stateType, label, func(v any) { c.provider = v.(state.Provider) })
			return c, err
		}))
	return env
}

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
	env, dir := stateEnvironment(t), t.TempDir()
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
			_, err := openTwice(t, dir)
			require.ErrorContains(t, err, "in use by another process")
		}
		require.NoError(t, stream.StopWithin(20*time.Second))
		require.NoError(t, <-done)
	}
}

func openTwice(t *testing.T, dir string) (any, error) {
	conf, err := stateSpec().ParseYAML("path: "+filepath.Join(dir, "state"), nil)
	require.NoError(t, err)
	config, err := stateFromParsed(conf)
	require.NoError(t, err)
	return openState(config, service.MockResources())
}

func TestStateInMemoryOpensNothing(t *testing.T) {
	dir := t.TempDir()
	conf, err := stateSpec().ParseYAML("in_memory: true\npath: "+filepath.Join(dir, "state"), nil)
	require.NoError(t, err)
	config, err := stateFromParsed(conf)
	require.NoError(t, err)
	r, err := openState(config, service.MockResources())
	require.NoError(t, err)
	require.NoDirExists(t, filepath.Join(dir, "state"))
	table, err := r.Table(t.Context(), "a", 0, "v1")
	require.NoError(t, err)
	require.NoError(t, table.Begin(0, 1))
	require.NoError(t, r.Close(t.Context()))
}

func TestTheStoreOfTheStateIsADirectoryABucketOrNothing(t *testing.T) {
	for _, test := range []struct{ name, yaml, want string }{
		{"nothing", `{}`, ""},
		{"a directory", `store: {path: ./states}`, ""},
		{"a bucket", `store: {s3: {bucket: states}}`, ""},
		{"not both", `store: {path: ./states, s3: {bucket: states}}`, "exclude each other"},
		{"never without a pause", `store: {path: ./states, upload_interval: 0s}`, "more than 0s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			conf, err := stateSpec().ParseYAML(test.yaml, nil)
			require.NoError(t, err)
			config, err := stateFromParsed(conf)
			if test.want != "" {
				require.ErrorContains(t, err, test.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, strings.Contains(test.yaml, "path"), config.store.path != "")
			require.Equal(t, strings.Contains(test.yaml, "s3"), config.store.s3 != nil)
		})
	}
}

func TestSnapshotsAreUploaded(t *testing.T) {
	dir := t.TempDir()
	conf, err := stateSpec().ParseYAML(fmt.Sprintf("path: %[1]s/own\nsnapshot_interval: 5ms\nstore: {path: %[1]s/shared, upload_interval: 5ms}", dir), nil)
	require.NoError(t, err)
	config, err := stateFromParsed(conf)
	require.NoError(t, err)
	r, err := openState(config, service.MockResources())
	require.NoError(t, err)
	_, err = r.Restore(t.Context(), testengine.LogIdentity{ID: "log", Partitions: 1}, 0, 0, 0)
	require.NoError(t, err)
	table, err := r.Table(t.Context(), "a", 0, "v1")
	require.NoError(t, err)
	require.NoError(t, table.Begin(0, 1))
	table.SetCell(1, 2)
	require.NoError(t, table.End())
	r.Acked(0, 1)
	require.Eventually(t, func() bool {
		found, _ := filepath.Glob(filepath.Join(dir, "shared", "0000", "manifest-*"))
		return len(found) > 0
	}, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, r.Close(t.Context()))
}
