package window

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/stateful"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/window/events"
	"github.com/connect-testengine/connect-testengine/plugins/window/panes"
)

// Process implements service.Processor.
func (a *aggregator) Process(ctx context.Context, m *service.Message) (service.MessageBatch, error) {
	kind := message.Kind(m)
	_, logged := message.Position(m)
	ours := kind == testengine.KindBlock && a.plan.blocks || kind == "" && !a.plan.blocks
	if !ours && !logged && kind != testengine.KindTick {
		return service.MessageBatch{m}, nil
	}
	var in input
	if ours {
		var err error
		if in, err = a.read(m); err != nil {
			return nil, err
		}
	}
	t, said, err := a.take(ctx, m, kind, in, logged)
	if err != nil {
		return nil, fmt.Errorf("aggregating in windows: %w", err)
	}
	a.counters.count(t, said)
	a.warn(m, t)
	return a.messages(m, ours, logged, t, said), nil
}

// input is the events of a message: a block, or JSON.
type input struct {
	block *testengine.Block
	json  []byte
	// bad is why the message has no events that can be read.
	bad error
}

var errMapped = errors.New("what the mapping made is no JSON (NaN, or an infinite number)")

func (a *aggregator) read(m *service.Message) (in input, err error) {
	if a.plan.blocks {
		if in.block, err = message.Get[testengine.Block](m); err == nil && in.block.Upload == nil {
			err = errors.New("it has no upload")
		}
		if err != nil {
			return in, fmt.Errorf("reading a block: %w", err)
		}
		return in, nil
	}
	if a.mapping == nil {
		if in.json, err = m.AsBytes(); err != nil {
			return in, fmt.Errorf("reading the message: %w", err)
		}
		return in, nil
	}
	mapped, err := m.BloblangQuery(a.mapping)
	switch {
	case err != nil:
		in.bad = badField(fieldMapping, shortened(err))
	case mapped == nil: // The mapping has left the message out.
	default:
		if in.json, err = mapped.AsBytes(); err != nil || len(in.json) == 0 {
			in.bad = badField("mapping", errors.Join(errMapped, err))
		}
	}
	return in, nil
}

// maxReason is how many bytes of a mapping's error are told: it may quote a value of
// any length, and a reason is metadata, which a log has to take.
const maxReason = 500

func shortened(err error) error {
	text := err.Error()
	if len(text) <= maxReason {
		return err
	}
	return errors.New(strings.ToValidUTF8(text[:maxReason], "") + "…")
}

// tally is what became of a message's events.
type tally struct {
	taken, leftOut int
	late, rejected leftover
	total          int
}

// leftover is events that are in no window.
type leftover struct {
	n      int
	raw    [][]byte // of JSON, in order
	places []int    // of a block
	reason error    // the first one
	full   bool     // a limit was reached
}

func (a *aggregator) take(ctx context.Context, m *service.Message, kind testengine.Kind, in input, logged bool) (t *tally, said []panes.Pane, err error) {
	position, _ := message.Position(m)
	now, timed := stateful.TimeOf(m)
	err = a.lanes.Take(ctx, m, now, func(r *stateful.Record[*lane]) error {
		t, said = new(tally), nil
		if r.Applied {
			return nil
		}
		if r.Lane.err != nil {
			return r.Lane.err
		}
		engine := r.Lane.engine
		engine.In(position.Partition)
		if kind == testengine.KindTick && timed {
			moveClock(engine, now, t)
		}
		if err := a.add(engine, in, now, timed, t); err != nil {
			return err
		}
		var err error
		if said, err = engine.Advance(); err != nil {
			return err
		}
		if logged {
			return nil // Other messages of the record may follow.
		}
		return r.End()
	})
	return t, said, err
}

// moveClock moves the lane's clock. A tick of no time is told like an event of none.
func moveClock(engine *panes.Engine, now int64, t *tally) {
	if err := events.CheckTime(now); err != nil {
		t.total = 1
		t.reject(badField(testengine.MetaLogTime, err), nil, 0)
		return
	}
	engine.Tick(now)
}

// add gives the events of a message to the lane's engine.
func (a *aggregator) add(engine *panes.Engine, in input, now int64, timed bool, t *tally) error {
	r, _ := a.readers.Get().(*reader)
	defer a.readers.Put(r)
	one := adding{aggregator: a, engine: engine, reader: r, tally: t, now: now, timed: timed}
	switch {
	case in.bad != nil:
		t.total = 1
		t.reject(in.bad, in.json, 0)
		return nil
	case in.block != nil:
		return one.blocks(in.block)
	case in.json != nil:
		return one.json(in.json)
	}
	return nil
}

// adding is a message on its way into the windows.
type adding struct {
	*aggregator
	engine *panes.Engine
	reader *reader
	tally  *tally
	now    int64
	timed  bool
}

func (a *adding) blocks(block *testengine.Block) error {
	a.reader.block.Reset(block)
	a.tally.total = len(block.Executions)
	for i := range block.Executions {
		at := a.reader.block.Read(i)
		if err := a.event(a.reader.block.Values, at, nil, nil, i); err != nil {
			return err
		}
	}
	return nil
}

func (a *adding) json(data []byte) error {
	s := a.reader.scanner
	s.Reset(data)
	for place := 0; ; place++ {
		raw, bad := s.Next()
		if raw == nil && bad == nil {
			return nil
		}
		a.tally.total++
		if raw == nil {
			// What cannot be read ends the message: the rest leaves as it is.
			a.tally.reject(bad, s.Rest(), place)
			return nil
		}
		if err := a.event(s.Values, a.now, bad, raw, place); err != nil {
			return err
		}
	}
}

// event takes one event; at is its time unless a field has it.
func (a *adding) event(values []events.Value, at int64, bad error, raw []byte, place int) error {
	taken := false
	if bad == nil {
		taken, bad = a.plan.event(a.reader, values)
	}
	if bad == nil && taken {
		at, bad = a.time(values, at)
	}
	switch {
	case bad != nil:
		a.tally.reject(bad, raw, place)
		return nil
	case !taken:
		a.tally.leftOut++
		return nil
	}
	outcome, err := a.engine.Add(a.reader.key, at, a.reader.inputs)
	if err != nil {
		return err
	}
	switch outcome {
	case panes.Taken:
		a.tally.taken++
	case panes.Late:
		a.tally.late.add(nil, raw, place)
	case panes.TooLong:
		a.tally.reject(errKeySize, raw, place)
	default:
		a.tally.rejected.full = true
		a.tally.reject(limits[outcome], raw, place)
	}
	return nil
}

var errKeySize = badField(fieldBy, errors.New("the key is longer than max_key_bytes"))

var limits = map[panes.Outcome]error{
	panes.Full:      errors.New("the lane holds max_windows windows already"),
	panes.Crowded:   errors.New("the key has max_sessions_per_key sessions already"),
	panes.Collision: errors.New("another key has the same hash"),
}

func (a *adding) time(values []events.Value, at int64) (int64, error) {
	name := "time"
	if field := a.plan.time; field >= 0 {
		name = a.plan.fields.Names()[field]
		var err error
		if at, err = a.plan.unit.Milliseconds(&values[field]); err != nil {
			return 0, badField(name, err)
		}
	} else if at == 0 && !a.timed {
		return 0, badField(name, errNoTime)
	} else if err := events.CheckTime(at); err != nil {
		return 0, badField(name, err)
	}
	if a.timed && a.maxAhead > 0 && at > a.now+a.maxAhead {
		return 0, badField(name, fmt.Errorf("it is %d ms after the message's own time, more than max_ahead", at-a.now))
	}
	return at, nil
}

func (t *tally) reject(reason error, raw []byte, place int) { t.rejected.add(reason, raw, place) }

func (l *leftover) add(reason error, raw []byte, place int) {
	if l.n == 0 {
		l.reason = reason
	}
	l.n++
	l.raw = append(l.raw, raw)
	l.places = append(l.places, place)
}

// warn says once a message that events were rejected, and why the first one was.
func (a *aggregator) warn(m *service.Message, t *tally) {
	switch {
	case t.rejected.n == 0:
	case t.rejected.full:
		a.log.Errorf("Rejecting %d of %d events of %s: %v", t.rejected.n, t.total, message.Place(m), t.rejected.reason)
	default:
		a.log.Warnf("Rejecting %d of %d events of %s: %v", t.rejected.n, t.total, message.Place(m), t.rejected.reason)
	}
}
