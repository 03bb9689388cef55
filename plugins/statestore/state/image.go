package state

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

// An image is the state of a partition read from files: everything before
// position, and nothing else.
type image struct {
	// tables by id; ids without a table are nil.
	tables   [maxTables + 1]*Table
	pending  [maxTables + 1]pendingTable
	position int64
	// firstNeeded is the oldest segment with a valid frame at or beyond bound, 0 if there is none.
	firstNeeded int64
	// waiting are the frames that no mark covers so far.
	waiting []frame
	// owner of the scratch tables: they write nothing.
	scratch *partition
}

// pendingTable is what frames say of a table before a mark makes it true.
type pendingTable struct {
	logic string
	last  int64
}

func newImage() *image { return &image{scratch: &partition{}} }

func (i *image) table(id uint8, name string) *Table {
	if i.tables[id] == nil {
		i.tables[id] = newTable(i.scratch, id, name)
		i.pending[id].last = -1
	}
	return i.tables[id]
}

func (i *image) list() (tables []*Table) {
	for _, t := range i.tables {
		if t != nil {
			tables = append(tables, t)
		}
	}
	return tables
}

// A chain is the segments of a partition in the order in which they continue each other.
type chain []segment

// limit is the offset from which on frames of chain[n] count no more: a later
// segment began with a cut there.
func (c chain) limit(n int) int64 {
	limit := int64(noCut)
	for _, later := range c[n+1:] {
		limit = min(limit, later.header.Cut)
	}
	return limit
}

// from returns the part of the chain that begins with that segment.
func (c chain) from(number int64) chain {
	at := slices.IndexFunc(c, func(s segment) bool { return s.header.Number == number })
	if at < 0 {
		return nil
	}
	return c[at:]
}

// replay reads the chain into the image up to the newest mark that is not
// beyond bound. It returns the part that was read, with verified ends; what
// follows a segment that does not verify to its end is not used.
func (i *image) replay(ctx context.Context, d disk.Disk, dir string, c chain, bound int64) (used chain, err error) {
	for n := range c {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		until := int64(noCut)
		if n+1 < len(c) {
			until = c[n+1].header.PrevEnd
		}
		end, err := i.replaySegment(d, dir, c[n].header.Number, until, c.limit(n), bound)
		if err != nil {
			return nil, err
		}
		used = append(used, segment{header: c[n].header, end: end, synced: c[n].synced})
		if until != noCut && end != until {
			break
		}
	}
	i.waiting = nil
	return used, nil
}

func (i *image) replaySegment(d disk.Disk, dir string, number, until, limit, bound int64) (end int64, err error) {
	var header segmentHeader
	file, err := openFrames(d, segmentName(dir, number), &header)
	if err != nil {
		return 0, err
	}
	defer file.close()
	file.end = min(file.end, until)
	for {
		end = file.at
		f, ok, err := file.next()
		if err != nil || !ok {
			return end, err
		}
		if i.firstNeeded == 0 && f.beyond(bound, limit) {
			i.firstNeeded = number
		}
		if ok, err = i.take(f, min(limit, bound)); err != nil || !ok {
			return end, err
		}
	}
}

// beyond reports whether a reader who stopped at bound needs the frame later.
func (f frame) beyond(bound, limit int64) bool {
	return f.kind == frameRecord && f.offset >= bound && f.offset < limit ||
		f.kind == frameMark && f.offset > bound && f.offset <= limit
}

// take brings one frame in; ok is false when it does not continue its table.
func (i *image) take(f frame, limit int64) (ok bool, err error) {
	switch f.kind {
	case frameTable:
		name, logic, _ := strings.Cut(string(f.payload), "\x00")
		i.table(f.table, name)
		i.pending[f.table].logic = logic
	case frameRecord:
		if f.offset < i.position || beyondCut(f.offset, limit) {
			return true, nil
		}
		if i.tables[f.table] == nil || i.pending[f.table].last != f.prev {
			return false, nil
		}
		i.pending[f.table].last = f.offset
		f.payload = slices.Clone(f.payload)
		i.waiting = append(i.waiting, f)
	case frameMark:
		if f.offset <= limit && f.offset >= i.position {
			return true, i.advance(f.offset)
		}
	}
	return true, nil
}

// beyondCut is the guard that keeps out what will be done again.
func beyondCut(offset, limit int64) bool { return offset >= limit }

// advance applies what a mark covers.
func (i *image) advance(next int64) error {
	rest := i.waiting[:0]
	for _, f := range i.waiting {
		if f.offset >= next {
			rest = append(rest, f)
			continue
		}
		t := i.tables[f.table]
		if err := t.apply(f.payload); err != nil {
			return fmt.Errorf("applying record %d to table %s: %w", f.offset, t.name, err)
		}
		t.last, t.time = f.offset, f.time
	}
	i.waiting = rest
	i.position = next
	for id, t := range i.tables {
		if t != nil {
			t.logic = i.pending[id].logic
		}
	}
	return nil
}
