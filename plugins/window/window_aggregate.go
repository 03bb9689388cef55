// Package window aggregates events in windows of event time, over any key.
package window

import (
	"context"
	"fmt"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/stateful"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/window/panes"
)

func init() {
	service.MustRegisterProcessor("window_aggregate", aggregateSpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.Processor, error) {
			return aggregatorFromParsed(conf, res)
		})
}

// aggregator is the processor. Its lanes hold what is state; the rest is settled
// at the start, so that threads share it.
type aggregator struct {
	settings panes.Settings
	plan     plan
	mapping  *bloblang.Executor // nil when the events are in the message as they come
	both     bool
	perPane  int // panes in a message
	// paneBytes is how large an array of them may be.
	paneBytes int64
	maxAhead  int64

	memory   stateful.Memory[*lane]
	lanes    *stateful.Lanes[*lane]
	readers  sync.Pool
	counters counters
	log      *service.Logger
}

// lane is the engine of one partition of the log, or why there is none.
type lane struct {
	engine *panes.Engine
	err    error
}

func aggregatorFromParsed(conf *service.ParsedConfig, res *service.Resources) (*aggregator, error) {
	a := &aggregator{counters: newCounters(res.Metrics()), log: res.Logger()}
	if err := a.configure(conf); err != nil {
		return nil, err
	}
	label, err := stateful.LabelFromParsed(conf)
	if err != nil {
		return nil, err
	}
	a.readers.New = func() any { return a.plan.reader() }
	a.memory = stateful.Memory[*lane]{
		Label: label, Table: "window_aggregate/" + a.settings.Name, Logic: a.settings.Logic() + "/" + a.plan.logic(),
		Make: func(table *state.Table) *lane {
			engine, err := panes.New(table, &a.settings)
			return &lane{engine: engine, err: err}
		},
		Closing: func(l *lane) {
			if l.err == nil {
				l.engine.Write()
			}
		},
	}
	a.lanes = stateful.New(res, a.memory)
	return a, nil
}

// Close implements service.Processor.
func (a *aggregator) Close(context.Context) error {
	a.lanes.Close()
	return nil
}

// counters are incremented once a message.
type counters struct {
	events *service.MetricCounter
	panes  *service.MetricCounter
}

func newCounters(metrics *service.Metrics) counters {
	return counters{
		events: metrics.NewCounter("testengine_window_events_total", "result"),
		panes:  metrics.NewCounter("testengine_window_panes_total", "pane"),
	}
}

func (c *counters) count(t *tally, said []panes.Pane) {
	for result, n := range map[string]int{"taken": t.taken, "left_out": t.leftOut, "late": t.late.n, "rejected": t.rejected.n} {
		if n > 0 {
			c.events.Incr(int64(n), result)
		}
	}
	kinds := map[panes.PaneKind]int64{}
	for i := range said {
		kinds[said[i].Kind]++
	}
	for kind, n := range kinds {
		c.panes.Incr(n, string(kind))
	}
}

// badField names the field, so that a reason can be read alone.
func badField(name string, err error) error { return fmt.Errorf("reading %s: %w", name, err) }
