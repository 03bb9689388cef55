// Package counter gives tests of streams the simplest stateful processor there is.
package counter

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	_ "github.com/connect-testengine/connect-testengine/plugins/statestore" // testengine_state, which holds the counts
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Environment has the processor counter beside everything that is registered.
func Environment(t *testing.T) *service.Environment {
	env := service.GlobalEnvironment().Clone()
	require.NoError(t, env.RegisterProcessor("counter", service.NewConfigSpec().Field(service.NewStringField("state")),
		func(conf *service.ParsedConfig, res *service.Resources) (service.Processor, error) {
			label, err := conf.FieldString("state")
			if err != nil {
				return nil, err
			}
			c := &counter{tables: map[int]*state.Table{}}
			err = res.AccessCustomResource(context.Background(), "testengine_state", label, func(v any) { c.provider = v.(state.Provider) })
			return c, err
		}))
	return env
}

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
