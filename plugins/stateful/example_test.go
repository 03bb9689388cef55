package stateful_test

import (
	"context"
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/stateful"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// countPerKey counts the messages of each key. With a `state` behind a log its
// counts are exact after any crash, and it has no line of code for that.
type countPerKey struct {
	lanes *stateful.Lanes[*state.Table]
	key   *service.InterpolatedString
}

func newCountPerKey(conf *service.ParsedConfig, res *service.Resources) (service.Processor, error) {
	label, err := stateful.LabelFromParsed(conf)
	if err != nil {
		return nil, err
	}
	key, err := conf.FieldInterpolatedString("key")
	if err != nil {
		return nil, err
	}
	return &countPerKey{key: key, lanes: stateful.New(res, stateful.Memory[*state.Table]{
		Label: label, Table: "count_per_key", Logic: "v1",
		Make: func(table *state.Table) *state.Table { return table },
	})}, nil
}

func (c *countPerKey) Process(ctx context.Context, m *service.Message) (service.MessageBatch, error) {
	key, err := c.key.TryString(m)
	if err != nil {
		return nil, fmt.Errorf("reading key: %w", err)
	}
	now, _ := stateful.TimeOf(m)
	var count uint64
	err = c.lanes.Take(ctx, m, now, func(r *stateful.Record[*state.Table]) error {
		id := testengine.Hash(0, key)
		count, _ = r.Table.Cell(id)
		if !r.Applied {
			count++
			r.Table.SetCell(id, count)
		}
		return r.End()
	})
	if err != nil {
		return nil, fmt.Errorf("counting: %w", err)
	}
	m.MetaSetMut("count", int64(count))
	return service.MessageBatch{m}, nil
}

func (c *countPerKey) Close(context.Context) error {
	c.lanes.Close()
	return nil
}

// A stateful processor in one screen. In its own init it would be registered with
// service.MustRegisterProcessor, and its YAML would name a testengine_state.
func Example() {
	spec := service.NewConfigSpec().Fields(stateful.Field("counts"), service.NewInterpolatedStringField("key"))
	conf, err := spec.ParseYAML(`key: '${! content() }'`, nil)
	if err != nil {
		panic(err)
	}
	processor, err := newCountPerKey(conf, service.MockResources())
	if err != nil {
		panic(err)
	}
	for _, fruit := range []string{"apple", "pear", "apple"} {
		batch, err := processor.Process(context.Background(), service.NewMessage([]byte(fruit)))
		if err != nil {
			panic(err)
		}
		count, _ := batch[0].MetaGet("count")
		fmt.Println(fruit, count)
	}
	// Output:
	// apple 1
	// pear 1
	// apple 2
}
