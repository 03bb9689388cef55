// Package stateful is how a processor remembers. It finds the state, opens a
// table for each partition of the log, opens and closes records, holds while the
// state cannot be written, and refuses what comes too late; a processor built on
// it has snapshots, restore, roll-back and replay without a line of its own.
//
// What a processor has to keep to: state is a function of the log. It changes
// entries and timers only inside Take, from the record and what it remembers,
// never from a clock, a lookup or a random number.
package stateful

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/message/pause"
	"github.com/connect-testengine/connect-testengine/plugins/message/refusal"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// stateType is the custom resource that a state is.
const stateType = "testengine_state"

// holdPause is how long to wait before asking again for a state that cannot be written.
const holdPause = time.Second

// Memory says what a processor remembers. T is what it derives from a table of
// one lane: an engine, a cache, or the table itself.
type Memory[T any] struct {
	// Label names the testengine_state resource; "" keeps the memory in this
	// process alone and begins anew at every start.
	Label string
	// Table names the processor's table among those of the pipeline.
	Table string
	// Logic names the rules under which the processor computes: versions of rules
	// and a hash of its configuration. Where it differs from what the restored
	// state was computed under, Table.RestoredLogic says so.
	Logic string
	// Make makes the lane's T. It is called again whenever the table was restored
	// or rolled back, so that nothing derived from older entries stays.
	Make func(*state.Table) T
	// Opened is called when a record begins, before anything of it: due timers
	// fire here. It may be nil.
	Opened func(lane T, now int64)
	// Closing is called before a record ends: what is cached is put into the
	// table here. It may be nil.
	Closing func(lane T)
}

// Lanes are a processor's partitions. They are safe for concurrent use; the
// records of one partition come one after the other.
type Lanes[T any] struct {
	memory   Memory[T]
	provider func(ctx context.Context) (state.Provider, error)
	log      *service.Logger

	missing sync.Once // says that there is no such state
	closed  func()

	mu    sync.Mutex
	lanes map[int]*lane[T]
}

// lane is one partition. It has one batch in flight; the lock only keeps a
// pipeline that is wired otherwise from corrupting it.
type lane[T any] struct {
	mu         sync.Mutex
	table      *state.Table
	derived    T
	generation uint64
	offset     int64 // of the open record
	begun      bool  // whether a record is open
	applied    bool  // the open record was in the state already
	counter    int64 // offsets of messages that come from no log
}

// New makes the lanes. Nothing is opened before the first record: resources are
// made after processors, and a linter makes processors without them. A state that is
// not in the configuration is refused by the stream's output when it connects, if that
// is one of ours, and else with the first record.
func New[T any](res *service.Resources, memory Memory[T]) *Lanes[T] {
	return &Lanes[T]{
		memory: memory, provider: providerFrom(res, memory.Label), log: res.Logger(), lanes: make(map[int]*lane[T]),
		closed: fields.Expect(res, memory.Table, stateType, memory.Label),
	}
}

// Close is told by the processor's own.
func (l *Lanes[T]) Close() { l.closed() }

// Record is what Take gives for one message.
type Record[T any] struct {
	// Table is the processor's table in the record's partition.
	Table *state.Table
	// Lane is what Memory.Make made of it.
	Lane T
	// Offset is the record's number in its log.
	Offset int64
	// Opened says that this message is the first one of its record.
	Opened bool
	// Applied says that the state contains the record already: it was redelivered.
	// Nothing may be changed; an answer that depends on the state must be the same.
	Applied bool

	end func() error
}

// End closes the record: no message of it follows. Without it the next record
// closes it, or the acknowledgement of its batch.
func (r *Record[T]) End() error { return r.end() }

// Take opens the message's record, unless a message before it did, and gives it
// to take. now is the log's time of the record (TimeOf). A state that cannot be had
// holds the stream, and one that is not in the configuration ends it. An error is
// the context's, or testengine.ErrNotRemembered when the state could not be written
// or the batch was given up: Process returns it, our outputs give the batch back,
// and it comes again after a restore.
func (l *Lanes[T]) Take(ctx context.Context, m *service.Message, now int64, take func(*Record[T]) error) error {
	defer message.Died(l.log, l.memory.Table, m)
	at, logged := message.Position(m)
	cycle, _ := message.Int(m, testengine.MetaCycle)
	for {
		err := l.try(ctx, at, logged, cycle, now, take)
		if err == nil || errors.Is(err, testengine.ErrNotRemembered) {
			return err
		}
		if errors.Is(err, fields.ErrResource) {
			l.missing.Do(func() { refusal.Refuse(l.log, err) })
		}
		l.log.Errorf("Holding %s at %s: %v", l.memory.Table, message.Place(m), err)
		if !pause.For(ctx, holdPause) {
			return errors.Join(errors.New("waiting for the state"), ctx.Err())
		}
	}
}

func (l *Lanes[T]) try(ctx context.Context, at testengine.Position, logged bool, cycle, now int64, take func(*Record[T]) error) error {
	lane, err := l.lane(ctx, at.Partition)
	if err != nil {
		return err
	}
	lane.mu.Lock()
	defer lane.mu.Unlock()
	if err := lane.table.InCycle(cycle); err != nil {
		return err
	}
	if !logged {
		lane.counter++
		at.Offset = lane.counter
	}
	opened, err := lane.open(&l.memory, at.Offset, now)
	if err != nil {
		return err
	}
	return take(&Record[T]{
		Table: lane.table, Lane: lane.derived, Offset: at.Offset, Opened: opened, Applied: lane.applied,
		end: lane.end,
	})
}

// open begins the record of a message, unless a message before it did.
func (l *lane[T]) open(memory *Memory[T], offset, now int64) (opened bool, err error) {
	if l.table.Generation() != l.generation {
		l.make(memory)
	}
	if l.begun && offset == l.offset && (l.applied || l.table.IsOpen()) {
		return false, nil
	}
	err = l.table.Begin(offset, now)
	if l.applied = errors.Is(err, state.ErrApplied); err != nil && !l.applied {
		return false, err
	}
	l.begun, l.offset = true, offset
	if !l.applied && memory.Opened != nil {
		memory.Opened(l.derived, l.table.Time())
	}
	return true, nil
}

// make derives what the lane keeps beside its table.
func (l *lane[T]) make(memory *Memory[T]) {
	l.generation, l.begun = l.table.Generation(), false
	derived := memory.Make(l.table)
	l.derived = derived
	if memory.Closing != nil {
		l.table.OnClose(func() { memory.Closing(derived) })
	}
}

func (l *lane[T]) end() error {
	l.begun = false
	return l.table.End()
}

// lane finds the partition's lane; its table is opened by its first record.
func (l *Lanes[T]) lane(ctx context.Context, partition int) (*lane[T], error) {
	l.mu.Lock()
	found := l.lanes[partition]
	if found == nil {
		found = new(lane[T])
		l.lanes[partition] = found
	}
	l.mu.Unlock()

	found.mu.Lock()
	defer found.mu.Unlock()
	if found.table != nil {
		return found, nil
	}
	provider, err := l.provider(ctx)
	if err != nil {
		return nil, fmt.Errorf("opening the state: %w", err)
	}
	table, err := provider.Table(ctx, l.memory.Table, partition, l.memory.Logic)
	if err != nil {
		return nil, fmt.Errorf("opening table %s of partition %d: %w", l.memory.Table, partition, err)
	}
	found.table = table
	found.make(&l.memory)
	return found, nil
}

// providerFrom finds the state when the first record needs it.
func providerFrom(res *service.Resources, label string) func(ctx context.Context) (state.Provider, error) {
	if label == "" {
		memory := state.NewMemory()
		return func(context.Context) (state.Provider, error) { return memory, nil }
	}
	return func(ctx context.Context) (state.Provider, error) {
		return fields.Resource[state.Provider](ctx, res, stateType, label)
	}
}
