// Package flaky finds flaky tests, broken tests and infrastructure storms in
// blocks of executions as they pass.
package flaky

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/enrich/signature"
	"github.com/connect-testengine/connect-testengine/plugins/flaky/detect"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/stream/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const (
	tableName = "flaky_detect"
	// statePause is how long to wait for a partition that has to be restored.
	statePause = time.Second
)

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
	logic    string
	provider func(ctx context.Context) (state.Provider, error)
	log      *service.Logger
	verdicts *service.MetricCounter
	runs     *service.MetricCounter
	now      func() time.Time

	mu    sync.Mutex
	lanes map[int]*lane
}

// lane is one partition of the log.
type lane struct {
	mu         sync.Mutex
	table      *state.Table
	engine     *detect.Engine
	generation uint64
	offset     int64 // of the open record, or of the last
	begun      bool  // whether a record was ever opened
	applied    bool  // the open record was in the state already
	counter    int64 // offsets of messages that come from no log
}

func detectorFromParsed(conf *service.ParsedConfig, res *service.Resources) (*detector, error) {
	settings, err := settingsFromParsed(conf)
	if err != nil {
		return nil, err
	}
	label := ""
	if conf.Contains(fieldState) {
		if label, err = conf.FieldString(fieldState); err != nil {
			return nil, err
		}
	}
	return &detector{
		settings: settings,
		logic:    fmt.Sprintf("%s-signatures-%d", settings.Logic(), signature.Version),
		provider: providerFrom(res, label),
		log:      res.Logger(),
		verdicts: res.Metrics().NewCounter("testengine_flaky_verdicts_total", "type"),
		runs:     res.Metrics().NewCounter("testengine_flaky_runs_total", "event"),
		now:      time.Now,
		lanes:    make(map[int]*lane),
	}, nil
}

// providerFrom finds the state when the first record needs it: resources are
// made after processors.
func providerFrom(res *service.Resources, label string) func(ctx context.Context) (state.Provider, error) {
	if label == "" {
		memory := state.NewMemory()
		return func(context.Context) (state.Provider, error) { return memory, nil }
	}
	return func(ctx context.Context) (provider state.Provider, err error) {
		accessed := res.AccessCustomResource(ctx, "testengine_state", label, func(value any) {
			var ok bool
			if provider, ok = value.(state.Provider); !ok {
				err = fmt.Errorf("using the state %q: a %T keeps no state", label, value)
			}
		})
		return provider, errors.Join(accessed, err)
	}
}

// Process implements service.Processor. Blocks go on first, then what they led
// to; the last message of a record goes on last.
func (d *detector) Process(ctx context.Context, m *service.Message) (service.MessageBatch, error) {
	kind := message.Kind(m)
	position, logged := message.Position(m)
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
	events, err := d.take(ctx, m, position, logged, block, change)
	if err != nil {
		return nil, err
	}
	return d.messages(m, kind, events), nil
}

// take gives a message to its lane's engine. A state that cannot be written
// holds the stream: a flag on the message would let data pass unseen.
func (d *detector) take(ctx context.Context, m *service.Message, at testengine.Position, logged bool, block *testengine.Block, change *testengine.Change) ([]detect.Event, error) {
	for {
		events, err := d.try(ctx, m, at, logged, block, change)
		if err == nil {
			return events, nil
		}
		d.log.Errorf("Detecting in record %v: %v", at, err)
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

func (d *detector) try(ctx context.Context, m *service.Message, at testengine.Position, logged bool, block *testengine.Block, change *testengine.Change) ([]detect.Event, error) {
	l, err := d.lane(ctx, at.Partition)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !logged {
		l.counter++
		at.Offset = l.counter
	}
	if err := l.open(at.Offset, d.timeOf(m, block)); err != nil {
		return nil, err
	}
	if l.applied {
		return nil, nil
	}
	if block != nil {
		l.engine.Block(block)
	}
	if change != nil {
		if err := l.engine.Change(change); err != nil {
			d.log.Warnf("Ignoring the detection section of suite %s/%s: %v", change.Org, change.Suite, err)
		}
	}
	events := l.engine.Events()
	if block == nil || !logged {
		l.engine.Flush()
		if err := l.table.End(); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// open begins the record of a message, unless a message before it did, and
// fires the timers that are due.
func (l *lane) open(offset, now int64) error {
	if generation := l.table.Generation(); generation != l.generation {
		l.generation, l.begun = generation, false
	}
	if l.begun && offset == l.offset {
		return nil
	}
	if l.begun {
		l.engine.Flush()
	}
	err := l.table.Begin(offset, now)
	if l.applied = errors.Is(err, state.ErrApplied); err != nil && !l.applied {
		return err
	}
	l.begun, l.offset = true, offset
	if !l.applied {
		l.engine.Advance(l.table.Time())
	}
	return nil
}

// timeOf is the log's time of a message. Only streams without a log and
// without times fall back to the clock.
func (d *detector) timeOf(m *service.Message, block *testengine.Block) int64 {
	for _, key := range []string{testengine.MetaLogTime, testengine.MetaReceivedAt} {
		if at, ok := message.Int(m, key); ok {
			return at
		}
	}
	if block != nil {
		if at := max(block.Upload.Time, block.Upload.ReceivedAt); at > 0 {
			return at
		}
	}
	return d.now().UnixMilli()
}

func (d *detector) lane(ctx context.Context, partition int) (*lane, error) {
	d.mu.Lock()
	l := d.lanes[partition]
	if l == nil {
		l = new(lane)
		d.lanes[partition] = l
	}
	d.mu.Unlock()

	l.mu.Lock()
	defer l.mu.Unlock()
	if l.table != nil {
		return l, nil
	}
	provider, err := d.provider(ctx)
	if err != nil {
		return nil, fmt.Errorf("opening the state: %w", err)
	}
	if l.table, err = provider.Table(ctx, tableName, partition, d.logic); err != nil {
		return nil, fmt.Errorf("opening table %s of partition %d: %w", tableName, partition, err)
	}
	l.engine = detect.New(l.table, d.settings, func(x *testengine.Execution) testengine.Signature {
		return signature.Of(x.FailureReason, x.FailureExpanded)
	})
	l.generation = l.table.Generation()
	return l, nil
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
func (*detector) Close(context.Context) error { return nil }

func pause(ctx context.Context) error {
	timer := time.NewTimer(statePause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return errors.Join(errors.New("waiting for the state"), ctx.Err())
	case <-timer.C:
		return nil
	}
}
