// Package flaky finds flaky tests, broken tests and infrastructure storms in
// blocks of executions as they pass.
package flaky

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/enrich/signature"
	"github.com/connect-testengine/connect-testengine/plugins/flaky/detect"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/stateful"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const tableName = "flaky_detect"

func init() {
	service.MustRegisterProcessor("flaky_detect", detectSpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.Processor, error) {
			return detectorFromParsed(conf, res)
		})
}

// detector is the processor. Its lanes hold what is state; the rest is settled
// at the start, so that threads share it.
type detector struct {
	settings detect.Settings
	memory   stateful.Memory[*detect.Engine]
	lanes    *stateful.Lanes[*detect.Engine]
	log      *service.Logger
	verdicts *service.MetricCounter
	runs     *service.MetricCounter
	now      func() time.Time
}

func detectorFromParsed(conf *service.ParsedConfig, res *service.Resources) (*detector, error) {
	settings, err := settingsFromParsed(conf)
	if err != nil {
		return nil, err
	}
	label, err := stateful.LabelFromParsed(conf)
	if err != nil {
		return nil, err
	}
	logic := fmt.Sprintf("%s-signatures-%d", settings.Logic(), signature.Version)
	memory := stateful.Memory[*detect.Engine]{
		Label: label, Table: tableName, Logic: logic,
		Make: func(table *state.Table) *detect.Engine {
			engine := detect.New(table, settings, sign)
			if restored := table.RestoredLogic(); restored != "" && restored != logic {
				engine.Changed()
			}
			return engine
		},
		Opened:  (*detect.Engine).Advance,
		Closing: (*detect.Engine).Flush,
	}
	return &detector{
		settings: settings, memory: memory,
		lanes:    stateful.New(res, memory),
		log:      res.Logger(),
		verdicts: res.Metrics().NewCounter("testengine_flaky_verdicts_total", "type"),
		runs:     res.Metrics().NewCounter("testengine_flaky_runs_total", "event"),
		now:      time.Now,
	}, nil
}

// sign names the cause of a failure.
func sign(x *testengine.Execution) testengine.Signature {
	return signature.Of(x.FailureReason, x.FailureExpanded())
}

// Process implements service.Processor. Blocks go on first, then what they led
// to; the last message of a record goes on last.
func (d *detector) Process(ctx context.Context, m *service.Message) (service.MessageBatch, error) {
	kind := message.Kind(m)
	_, logged := message.Position(m)
	if !logged && kind != testengine.KindBlock && kind != testengine.KindTick && kind != testengine.KindChange {
		return service.MessageBatch{m}, nil
	}
	var block *testengine.Block
	var change *testengine.Change
	var err error
	switch kind {
	case testengine.KindBlock:
		if block, err = message.Get[testengine.Block](m); err == nil && block.Upload == nil {
			err = errors.New("the block has no upload")
		}
	case testengine.KindChange:
		change, err = message.Get[testengine.Change](m)
	default: // The others carry nothing to judge: they move time.
	}
	if err != nil {
		return nil, fmt.Errorf("reading a %s: %w", kind, err)
	}
	events, err := d.take(ctx, m, logged, block, change)
	if err != nil {
		return nil, fmt.Errorf("detecting: %w", err)
	}
	return d.messages(m, kind, events), nil
}

// take gives a message to its lane's engine.
func (d *detector) take(ctx context.Context, m *service.Message, logged bool, block *testengine.Block, change *testengine.Change) (events []detect.Event, err error) {
	err = d.lanes.Take(ctx, m, d.timeOf(m, block), func(r *stateful.Record[*detect.Engine]) error {
		events = nil
		if r.Applied {
			return nil
		}
		if message.Silent(m) {
			r.Lane.Redone()
		} else {
			r.Lane.Restate()
		}
		if block != nil {
			r.Lane.Block(block)
		}
		if change != nil {
			if err := r.Lane.Change(change); err != nil {
				d.log.Warnf("Ignoring the detection section of suite %s/%s in %s: %v", change.Org, change.Suite, message.Place(m), err)
			}
		}
		events = r.Lane.Events()
		if block == nil || !logged {
			return r.End()
		}
		return nil
	})
	return events, err
}

// timeOf is the log's time of a message. Only streams without a log and
// without times fall back to the clock.
func (d *detector) timeOf(m *service.Message, block *testengine.Block) int64 {
	if at, ok := stateful.TimeOf(m); ok {
		return at
	}
	if block != nil {
		if at := max(block.Upload.Time, block.Upload.ReceivedAt); at > 0 {
			return at
		}
	}
	return d.now().UnixMilli()
}

// messages puts what was said behind a block, or before any other message.
func (d *detector) messages(m *service.Message, kind testengine.Kind, events []detect.Event) service.MessageBatch {
	if len(events) == 0 {
		return service.MessageBatch{m}
	}
	batch := make(service.MessageBatch, 0, len(events)+1)
	if kind == testengine.KindBlock {
		batch = append(batch, m)
	}
	for _, event := range events {
		batch = append(batch, d.messageOf(m, event))
	}
	if kind != testengine.KindBlock {
		batch = append(batch, m)
	}
	return batch
}

// messageOf makes the message of an event. Of the record's metadata only its
// position stays: an event may be about another suite of the lane.
func (d *detector) messageOf(m *service.Message, event detect.Event) *service.Message {
	out := service.NewMessage(nil)
	message.Follow(out, m)
	if v := event.Verdict; v != nil {
		d.verdicts.Incr(1, string(v.Type))
		message.Set(out, testengine.KindVerdict, v)
		out.MetaSetMut(testengine.MetaOrg, v.Org)
		out.MetaSetMut(testengine.MetaSuite, v.Suite)
		return out
	}
	r := event.Run
	d.runs.Incr(1, string(r.Event))
	message.Set(out, testengine.KindRun, r)
	out.MetaSetMut(testengine.MetaOrg, r.Org)
	out.MetaSetMut(testengine.MetaSuite, r.Suite)
	out.MetaSetMut(testengine.MetaRunKey, r.RunKey)
	out.MetaSetMut(testengine.MetaBranch, r.Branch)
	return out
}

// Close implements service.Processor.
func (d *detector) Close(context.Context) error {
	d.lanes.Close()
	return nil
}
