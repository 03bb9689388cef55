package panes

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/window/sketch"
)

// Outcome says what became of an event.
type Outcome int

// The outcomes. Only Taken events are in a window.
const (
	Taken Outcome = iota
	// Late: every window of the event has ended longer ago than the lateness.
	Late
	// Full: the lane holds MaxWindows already.
	Full
	// Crowded: the key has MaxSessions already.
	Crowded
	// Collision: another key has the same hash, which is as likely as 1 in 10^6 with five million keys.
	Collision
	// TooLong: the key is longer than MaxKey, and could not be kept.
	TooLong
)

// Engine aggregates the events of one lane. It is a cache over its table: a new
// one made over the same table goes on exactly where the old one was. It is not
// safe for concurrent use.
type Engine struct {
	settings *Settings
	table    Table
	pieces   pieces
	writer   writer
	scale    sketch.Scale
	windows  windows

	// clock is the greatest event time or tick, next what it becomes when the message was applied.
	clock, next int64
	// broken is why nothing more can be written.
	broken      error
	count       int // pieces in the table
	budget      int // what the record may still cost
	corrections []correction
	panes       []Pane
	divided     bool     // the table comes from a division, and was not tidied yet
	merged      contents // scratch for windows of several slices
}

// windows is a way to cut time: slices or sessions.
type windows interface {
	// add takes an event. The outcome is decided before anything is changed.
	add(hash uint64, key []byte, at int64, inputs []Input) (Outcome, error)
	// correct says again what a window says that has ended.
	correct(c correction) error
	// advance fires and forgets what is due at the engine's clock.
	advance() error
	// restored is told of every value of the table.
	restored(id uint64, value []byte) error
	// write puts what was changed into the table.
	write()
	// known yields the cells of what the lane may have said something of.
	known(yield func(id uint64))
}

// correction names a window that has changed after its end.
type correction struct {
	start int64
	hash  uint64
}

// clockCell is a key of the table that no hash of a window is likely to have.
const clockCell = 0x636c6f636b000001

// New makes the engine of a lane. The settings have been checked.
func New(table Table, settings *Settings) (*Engine, error) {
	scale, err := sketch.NewScale(settings.RelativeError)
	if err != nil {
		return nil, err
	}
	l := layoutOf(settings.Aggregates)
	e := &Engine{settings: settings, table: table, pieces: newPieces(table, l, settings.Hot), scale: scale}
	if clock, ok := table.Cell(clockCell); ok {
		e.clock, e.next = int64(clock), int64(clock)
	}
	e.writer = writer{settings: settings, layout: &e.pieces.layout, scale: scale}
	e.merged = contents{words: make([]float64, l.words), quantiles: make([]sketch.Quantiles, l.quantiles), distincts: make([]sketch.Distinct, l.distincts)}
	if settings.Kind == Session {
		e.windows = newSessions(e)
	} else {
		e.windows = newSliced(e)
	}
	return e, e.restore()
}

// restore derives from the table what is not looked up by key.
func (e *Engine) restore() (err error) {
	e.divided = e.table.Value(dividedKey) != nil
	e.table.Range(func(key, _ uint64, value []byte) bool {
		if len(value) > 0 && value[0] == valuePiece {
			e.count++
		}
		if len(value) > 0 {
			err = e.windows.restored(key, value)
		}
		return err == nil
	})
	return err
}

// In says which partition the lane is. It is part of the panes' ids, so that what
// two partitions say of one key is not taken for the same.
func (e *Engine) In(partition int) {
	e.writer.seed = testengine.HashUint(0, uint64(partition))
}

// Add takes an event of that key (AppendKeyPart) and time (events.CheckTime), with
// one input for each aggregate. It changes the table only at Write.
func (e *Engine) Add(key []byte, at int64, inputs []Input) (Outcome, error) {
	if len(key) > e.settings.MaxKey {
		return TooLong, nil
	}
	if err := e.pieces.trim(); err != nil {
		return 0, err
	}
	outcome, err := e.windows.add(hashOf(key), key, at, inputs)
	if outcome == Taken {
		e.next = max(e.next, at)
	}
	return outcome, err
}

func hashOf(key []byte) uint64 { return testengine.Hash(0, view(key)) }

// view reads bytes as text without a copy.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Tick moves the clock to a time at least, as an event of that time would.
func (e *Engine) Tick(at int64) { e.next = max(e.next, at) }

// Watermark is the time before which no event is expected.
func (e *Engine) Watermark() int64 { return e.clock - e.settings.Delay }

// Windows is how many slices or sessions the lane holds.
func (e *Engine) Windows() int { return e.count }

// Advance ends a message: windows that had ended before and have changed say so,
// then the clock moves and what has become due is fired in order of (due, key), as
// far as MaxPanes allows. The panes are the caller's.
func (e *Engine) Advance() ([]Pane, error) {
	if e.broken != nil {
		return nil, e.broken
	}
	e.tidy()
	e.budget = e.settings.MaxPanes * paneCost
	slices.SortFunc(e.corrections, func(a, b correction) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.hash, b.hash))
	})
	for _, c := range slices.Compact(e.corrections) {
		if err := e.windows.correct(c); err != nil {
			return nil, err
		}
	}
	e.corrections = e.corrections[:0]
	if e.next > e.clock {
		e.clock = e.next
		e.table.SetCell(clockCell, uint64(e.clock))
	}
	if err := e.windows.advance(); err != nil {
		return nil, err
	}
	panes := e.panes
	e.panes = nil
	return panes, nil
}

// Write puts everything that was changed into the table: before the end of a
// record. What cannot be written is the next error of Advance.
func (e *Engine) Write() {
	e.windows.write()
	e.broken = errors.Join(e.broken, e.pieces.write())
}

// pieceAt finds or makes the piece of a key that starts at that time.
func (e *Engine) pieceAt(hash uint64, start int64, key []byte) (i int32, created bool, outcome Outcome, err error) {
	id := pieceID(hash, start)
	i, ok, err := e.pieces.find(id)
	switch {
	case err != nil:
		return 0, false, 0, err
	case ok && (e.pieces.all[i].start != start || string(e.pieces.key(i)) != string(key)):
		return 0, false, Collision, nil
	case ok:
		return i, false, Taken, nil
	case e.count >= e.settings.MaxWindows:
		return 0, false, Full, nil
	}
	e.count++
	return e.pieces.create(id, start, key), true, Taken, nil
}

// pieceID names a piece; with the start the key's hash can be had back.
func pieceID(hash uint64, start int64) uint64 { return hash ^ testengine.HashUint(1, uint64(start)) }

func (e *Engine) drop(id uint64) {
	e.pieces.remove(id)
	e.count--
}

// windowID is the key of a window's cell.
func windowID(hash uint64, start int64) uint64 { return testengine.HashUint(hash, uint64(start)) }

// say makes a pane of the contents, with the next version of its window, unless
// it is early and would say what was said before.
func (e *Engine) say(kind PaneKind, hash uint64, key []byte, start, end, due int64, c contents) {
	id := windowID(hash, start)
	cell, _ := e.table.Cell(id)
	events := eventsIn(c.words)
	if kind == Early && cell != 0 && eventsOf(cell) == events {
		return
	}
	p := Pane{Kind: kind, Version: versionOf(cell) + 1, Start: start, End: end, Due: due}
	e.panes = append(e.panes, e.writer.pane(p, due-e.settings.Delay, key, c, -1))
	if kind == Early || e.settings.Lateness > 0 {
		e.table.SetCell(id, cellOf(p.Version, events))
	}
}

// sum merges pieces into the scratch.
func (e *Engine) sum(parts []int32) (contents, error) {
	l := &e.pieces.layout
	l.empty(e.merged.words)
	clear(e.merged.quantiles)
	clear(e.merged.distincts)
	for _, i := range parts {
		if err := l.merge(e.merged, e.pieces.contents(i), e.settings.Precision); err != nil {
			return contents{}, fmt.Errorf("merging slices: %w", err)
		}
	}
	return e.merged, nil
}
