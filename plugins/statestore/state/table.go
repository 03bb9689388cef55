package state

import (
	"fmt"
	"sync/atomic"
)

// Table is one processor's state in one partition: a map from 64-bit keys to
// small cells or to byte values, and timers. It is not safe for concurrent use:
// a partition has one batch in flight. Changes are made between Begin and End.
type Table struct {
	partition *partition
	id        uint8
	name      string
	// logic is what the present user computes under, restoredLogic what the
	// restored entries were computed under.
	logic         string
	restoredLogic string
	// told says that the present segment names the table with its logic.
	told bool

	entries index
	slabs   slabs
	timers  timers

	open   bool
	offset int64 // of the open record
	cycle  int64 // that was open when the record was opened
	last   int64 // last record that was closed
	floor  int64 // where the last restore left the partition
	time   int64
	misuse error
	// closing puts what the user holds back into the open record.
	closing func()
	// changes is the open record's frame as far as it is known.
	changes []byte

	// warmed keeps the compiler from leaving out Warm's reads.
	warmed uint64

	generation atomic.Uint64
	nextDue    atomic.Int64 // 0 when no timer is set
}

const tableShardBits = 6

func newTable(p *partition, id uint8, name string) *Table {
	t := &Table{partition: p, id: id, name: name}
	t.clear()
	return t
}

// clear makes the table what it was before the first record.
func (t *Table) clear() {
	t.entries = newIndex(tableShardBits)
	t.slabs = slabs{}
	t.timers = newTimers()
	t.open, t.offset, t.last, t.floor, t.time = false, 0, -1, 0, 0
	t.misuse, t.restoredLogic = nil, ""
	t.changes = t.changes[:0]
	t.nextDue.Store(0)
}

// Begin opens the record at that offset and ends the one before. The table's
// time becomes the greatest time of its records. A record that the table
// contains already gives ErrApplied. Any other error means that the state could
// not be written: the partition has to be restored.
func (t *Table) Begin(offset, time int64) error {
	if t.open {
		if err := t.End(); err != nil {
			return err
		}
	}
	if err := t.partition.failure(); err != nil {
		return err
	}
	if t.misuse != nil {
		return t.misuse
	}
	if offset <= t.last || offset < t.floor {
		return fmt.Errorf("opening record %d of table %s: %w", offset, t.name, ErrApplied)
	}
	t.open, t.offset, t.time = true, offset, max(t.time, time)
	t.cycle = t.partition.cycle.Load()
	return nil
}

// End closes the record: its changes become one frame of the partition's delta
// segment. Without an open record it does nothing.
func (t *Table) End() error {
	if !t.open {
		return nil
	}
	if t.closing != nil {
		t.closing()
	}
	t.open = false
	if t.misuse != nil {
		return t.misuse
	}
	if err := t.InCycle(t.cycle); err != nil {
		return t.partition.fail(err)
	}
	err := t.partition.append(t)
	t.changes = t.changes[:0]
	t.last = t.offset
	t.publishDue()
	return err
}

// InCycle is the guard against batches that came back too late: the error is
// ErrCycle unless the cycle with that number is open.
func (t *Table) InCycle(number int64) error {
	if open := t.partition.cycle.Load(); open != number {
		return fmt.Errorf("record of cycle %d in partition %d, whose cycle is %d: %w", number, t.partition.number, open, ErrCycle)
	}
	return nil
}

// IsOpen reports whether a record is open.
func (t *Table) IsOpen() bool { return t.open }

// OnClose sets what is called before an open record ends, whoever ends it: the
// user, the next record, or the acknowledgement of its batch. It may be nil.
func (t *Table) OnClose(closing func()) { t.closing = closing }

func (t *Table) publishDue() {
	first, _ := t.timers.first()
	t.nextDue.Store(first.due)
}

// Warm brings the keys' entries near, all at once: with a million entries a look
// at one that is far costs 100 ns, at one that is near 15. A few dozen keys that
// are about to be used are a good number.
func (t *Table) Warm(keys []uint64) { t.warmed += t.entries.warm(keys) }

// Cell returns the key's cell; ok is false when the key is absent or has a value.
func (t *Table) Cell(key uint64) (cell uint64, ok bool) {
	word := t.entries.get(key)
	return cellOf(word), isCell(word)
}

// SetCell gives the key a cell (at most MaxCell), which costs 16 bytes and the
// table's spare room, under 24 in all. It replaces a value.
func (t *Table) SetCell(key, cell uint64) {
	if !t.changing(cell <= MaxCell, "a cell is at most 2^56-1") {
		return
	}
	t.putCell(key, cell)
	if t.partition.durable {
		t.changes = appendCell(t.changes, key, cell)
	}
}

func (t *Table) putCell(key, cell uint64) {
	if old := t.entries.set(key, cellWord(cell)); isValue(old) {
		t.dropValue(old)
	}
}

// Value returns the key's value, nil when the key is absent or has a cell. It
// must not be changed and is valid until the table's next change.
func (t *Table) Value(key uint64) []byte {
	word := t.entries.get(key)
	if !isValue(word) {
		return nil
	}
	return t.slabs.get(valueOf(word))
}

// SetValue gives the key a copy of the value (at most MaxValue bytes). It
// replaces a cell.
func (t *Table) SetValue(key uint64, value []byte) {
	if !t.changing(len(value) <= MaxValue, "a value is at most 64 KiB") {
		return
	}
	t.putValue(key, value)
	if t.partition.durable {
		t.changes = appendValue(t.changes, key, value)
	}
}

func (t *Table) putValue(key uint64, value []byte) {
	if word := t.entries.get(key); isValue(word) {
		c, item, _ := valueOf(word)
		if c == classOf(len(value)) {
			copy(t.slabs.get(c, item, len(value)), value)
			t.entries.set(key, valueWord(c, item, len(value)))
			return
		}
	}
	c, item := t.slabs.put(value)
	if old := t.entries.set(key, valueWord(c, item, len(value))); isValue(old) {
		t.dropValue(old)
	}
}

func (t *Table) dropValue(word uint64) {
	c, item, _ := valueOf(word)
	t.slabs.drop(c, item)
}

// Delete forgets the key.
func (t *Table) Delete(key uint64) {
	if !t.changing(true, "") {
		return
	}
	if t.remove(key) && t.partition.durable {
		t.changes = appendKey(t.changes, opDelete, key)
	}
}

func (t *Table) remove(key uint64) bool {
	old := t.entries.remove(key)
	if isValue(old) {
		t.dropValue(old)
	}
	return old != 0
}

// Range walks over all entries in an order that depends on the keys alone;
// value is nil for cells. The table must not be changed meanwhile.
func (t *Table) Range(yield func(key, cell uint64, value []byte) bool) {
	t.entries.each(func(key, word uint64) bool {
		if isValue(word) {
			return yield(key, 0, t.slabs.get(valueOf(word)))
		}
		return yield(key, cellOf(word), nil)
	})
}

// Len returns the number of entries.
func (t *Table) Len() int { return t.entries.n }

// Bytes returns the memory that entries and timers take.
func (t *Table) Bytes() int {
	return t.entries.bytes() + t.slabs.used + t.timers.due.bytes() + 16*cap(t.timers.heap)
}

// SetTimer gives the id its one due time, in unix milliseconds of log time.
func (t *Table) SetTimer(id uint64, due int64) {
	if !t.changing(due >= 0 && due <= MaxCell, "a due time is a unix time in milliseconds") {
		return
	}
	t.timers.set(id, due)
	if t.partition.durable {
		t.changes = appendTimer(t.changes, id, due)
	}
}

// CancelTimer forgets the id's due time.
func (t *Table) CancelTimer(id uint64) {
	if !t.changing(true, "") {
		return
	}
	if t.timers.cancel(id) && t.partition.durable {
		t.changes = appendKey(t.changes, opCancel, id)
	}
}

// Due returns the earliest timer whose due time is not after time, in order of
// due time and id. It stays set: the caller sets it anew or cancels it.
func (t *Table) Due(time int64) (id uint64, due int64, ok bool) {
	first, ok := t.timers.first()
	if !ok || first.due > time {
		return 0, 0, false
	}
	return first.id, first.due, true
}

// Time returns T, the greatest time of the records begun.
func (t *Table) Time() int64 { return t.time }

// Generation grows at every restore and roll-back. Whoever caches what he
// derived from the table drops it when it has changed.
func (t *Table) Generation() uint64 { return t.generation.Load() }

// RestoredLogic returns the logic under which the restored entries were
// computed, "" when the table began empty.
func (t *Table) RestoredLogic() string { return t.restoredLogic }

// changing guards every change. A mistake of the caller is kept and returned by
// End, so that changes need no error of their own.
func (t *Table) changing(valid bool, rule string) bool {
	if t.open && valid {
		return true
	}
	if t.misuse == nil {
		if !t.open {
			rule = "a change belongs between Begin and End"
		}
		t.misuse = fmt.Errorf("changing table %s: %s", t.name, rule)
	}
	return false
}
