package state

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// A partition is the tables of one partition of the log and their delta stream.
type partition struct {
	store   *Store
	number  int
	durable bool
	// ready is closed when the partition has been restored for the first time.
	ready chan struct{}
	// failed is why the partition cannot go on until it is restored.
	failed atomic.Pointer[error]
	// cycle is the number of the open cycle, 0 where there are none.
	cycle atomic.Int64

	// files is held by whoever reads or replaces files: restore and snapshot.
	files  sync.Mutex
	folder *folder
	base   *baseRef
	begin  int64
	marks  snapshotMarks
	// cutSegment began with the last restore; its header is cutHeader bytes long.
	cutSegment, cutHeader int64
	uploads
	// unsafe says that a sync failed: what was not synced before cannot be trusted.
	unsafe bool

	mutex  sync.Mutex
	tables []*Table
	start  int64 // where the last restore left the partition
	writer *writer
	sealed chain
	acked  int64
	time   int64 // T at the last mark
	// passed are the ends of batches that the processors have done and the store has not, in order.
	passed []passage
	// synced is the position that survives a power cut.
	synced int64
}

// passage is where the processors stood between two batches.
type passage struct{ next, time int64 }

const maxTables = 255

func newPartition(s *Store, number int) *partition {
	p := &partition{store: s, number: number, durable: !s.options.InMemory, ready: make(chan struct{})}
	p.remote = newRemote()
	if s.options.InMemory {
		close(p.ready)
	}
	return p
}

func (p *partition) failure() error {
	if err := p.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// fail stops the partition until it is restored: what its tables hold is no
// longer what its files will say.
func (p *partition) fail(err error) error {
	err = fmt.Errorf("%w, partition %d stands still until it is restored: %w", testengine.ErrNotRemembered, p.number, err)
	p.failed.CompareAndSwap(nil, &err)
	return p.failure()
}

// claim gives a processor its table. A table that the partition does not have
// can only be made while the partition stands where the log begins.
func (p *partition) claim(name, logic string) (*Table, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if err := p.failure(); err != nil {
		return nil, err
	}
	for _, t := range p.tables {
		if t.name == name {
			return t, p.use(t, logic)
		}
	}
	if err := p.errNewcomer(name); err != nil {
		return nil, err
	}
	if len(p.tables) == maxTables {
		return nil, fmt.Errorf("making table %s: a partition holds at most %d tables", name, maxTables)
	}
	t := newTable(p, uint8(len(p.tables)), name)
	p.tables = append(p.tables, t)
	return t, p.use(t, logic)
}

// errNewcomer is the guard against a stateful processor that never saw the
// records before.
func (p *partition) errNewcomer(name string) error {
	if p.start == 0 || p.start == p.marks.origin {
		return nil
	}
	return fmt.Errorf("table %s has no state, but partition %d stands at %d: a stateful processor was added to a running pipeline; "+
		"`connect-testengine state reset --from OFFSET` computes its state from the log", name, p.number, p.start)
}

// use says which logic the table's user has; a frame tells it to later readers.
func (p *partition) use(t *Table, logic string) error {
	told := t.told && t.logic == logic
	t.logic, t.told = logic, true
	if told || !p.durable {
		return nil
	}
	return p.write(t.introduction())
}

// introduction is the frame that names the table and its logic.
func (t *Table) introduction() frame {
	return frame{kind: frameTable, table: t.id, payload: []byte(t.name + "\x00" + t.logic)}
}

// append takes the record that t has just closed.
func (p *partition) append(t *Table) error {
	if !p.durable {
		return nil
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if err := p.failure(); err != nil {
		return err
	}
	if p.writer == nil {
		return fmt.Errorf("closing record %d of table %s: partition %d is being restored", t.offset, t.name, p.number)
	}
	return p.write(frame{kind: frameRecord, table: t.id, offset: t.offset, time: t.time, prev: t.last, payload: t.changes})
}

func (p *partition) write(f frame) error {
	if err := p.writer.add(f); err != nil {
		return p.fail(err)
	}
	if p.writer.end < p.store.options.SegmentBytes {
		return nil
	}
	if err := p.rotate(); err != nil {
		return p.fail(err)
	}
	p.store.wake(p)
	return nil
}

// rotate seals the segment and begins the next one. The sealed one is synced by
// the next snapshot, not here.
func (p *partition) rotate() error {
	sealed, err := p.writer.seal()
	if err != nil {
		return err
	}
	next := p.writer.header
	next.Number, next.Prev, next.PrevEnd, next.Cut = p.folder.take(), sealed.header.Number, sealed.end, noCut
	writer, err := newWriter(p.store.disk, p.folder.dir, next)
	if err != nil {
		return err
	}
	p.sealed, p.writer = append(p.sealed, sealed), writer
	return p.introduceTables()
}

// introduceTables names the tables in use, so that a segment can be read
// without those before it.
func (p *partition) introduceTables() error {
	for _, t := range p.tables {
		if !t.told {
			continue
		}
		if err := p.writer.add(t.introduction()); err != nil {
			return err
		}
	}
	p.writer.start = p.writer.end + int64(len(p.writer.buffer))
	return nil
}

// pass says that everything below next is done by all tables, and nothing beyond.
func (p *partition) pass(next int64) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if !p.isReady() || p.failure() != nil || next <= p.acked {
		return
	}
	if time, ok := p.closeBelow(next); ok {
		p.passed = append(p.passed, passage{next, time})
	}
}

// closeBelow closes the records below next that are still open, and returns T.
// The processors must not be at work in the partition.
func (p *partition) closeBelow(next int64) (time int64, ok bool) {
	time = p.time
	for _, t := range p.tables {
		if t.open && t.offset < next {
			if err := p.closeRecord(t); err != nil {
				return 0, false
			}
		}
		time = max(time, t.time)
	}
	return time, true
}

// mark says that everything below next is done by all tables, and stored. What
// was passed is not looked at again: the processors may be further.
func (p *partition) mark(next int64) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if !p.isReady() || p.failure() != nil || next <= p.acked {
		return
	}
	passed := false
	for len(p.passed) > 0 && p.passed[0].next <= next {
		p.time, passed = max(p.time, p.passed[0].time), p.passed[0].next == next
		p.passed = p.passed[1:]
	}
	if !passed {
		time, ok := p.closeBelow(next)
		if !ok {
			return
		}
		p.time = time
	}
	p.acked = next
	if !p.durable {
		return // Nothing is ever durable: the log keeps everything.
	}
	if p.write(frame{kind: frameMark, offset: next, time: p.time}) == nil {
		if err := p.writer.flush(); err != nil {
			_ = p.fail(err)
		}
	}
}

// closeRecord ends the record of a processor that waits for the next one to do so.
func (p *partition) closeRecord(t *Table) error {
	p.mutex.Unlock()
	defer p.mutex.Lock()
	return t.End()
}

func (p *partition) isReady() bool {
	select {
	case <-p.ready:
		return true
	default:
		return false
	}
}

func (p *partition) nextDue() (due int64, ok bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, t := range p.tables {
		if d := t.nextDue.Load(); d != 0 && (!ok || d < due) {
			due, ok = d, true
		}
	}
	return due, ok
}

func (p *partition) owner(log testengine.LogIdentity) owner {
	return owner{Pipeline: p.store.options.Pipeline, LogID: log.ID, Partitions: log.Partitions, Partition: p.number}
}
