package disklog

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const (
	// wholeBlocks is from how many bytes on a group is written in whole aligned
	// blocks, which go to the disk without a stay in the page cache.
	wholeBlocks = 64 << 10
	// keptArena is the largest arena that is kept for the next group.
	keptArena = 32 << 20
)

var errSegmentFull = errors.New("the segment is full")

// group is what one sync covers; it lies in one segment.
type group struct {
	segment *segment
	start   int64 // Number of its first entry.
	begun   int64 // Number of the first entry that was not durable when it began: its own first, or that of the group beside it.
	at      int64 // Where it begins to write: the place of the arena's first byte.
	end     int64
	blocks  bool // It begins at a block and fills its last one with zeros.
	time    int64
	arena   []byte
	placed  []placed
	// complete are the requests whose last entry is in this group.
	complete []*request
}

// placed is an entry with its number and its place.
type placed struct {
	entry  *Entry
	frame  frame
	size   int64
	offset int64
	record *Record
}

// commit gives numbers and T, writes, syncs, publishes and answers.
func (l *Log) commit(requests []*request) {
	if err := l.room(); err != nil {
		l.answerAll(requests, err)
		return
	}
	most := bound(requests)
	l.arena, l.whole = roomy(l.arena, most), most >= wholeBlocks
	g := l.newGroup()
	for i, r := range requests {
		for j := range r.entries {
			err := l.place(g, &r.entries[j])
			if errors.Is(err, errSegmentFull) {
				g, err = l.turnPage(g, &r.entries[j])
			}
			if err != nil {
				l.answerAll(requests[i:], l.giveUp(g, err))
				return
			}
		}
		g.complete = append(g.complete, r)
	}
	if err := l.finishBeside(g); err != nil {
		_ = l.giveUp(g, err) // It has answered.
	}
	if cap(l.arena) > keptArena {
		l.arena = nil
	}
}

// turnPage finishes a group at the end of a segment and begins the next
// segment with the entry that did not fit.
func (l *Log) turnPage(g *group, e *Entry) (*group, error) {
	if err := l.finish(g); err != nil {
		return g, err
	}
	next, err := l.nextSegment()
	if err != nil {
		return &group{}, err
	}
	l.active = next
	g = l.newGroup()
	return g, l.place(g, e)
}

// bound is the most that a group of the requests can take.
func bound(requests []*request) int64 {
	var most int64 = segmentHead + 2*disk.BlockSize
	for _, r := range requests {
		for i := range r.entries {
			most += r.entries[i].bound()
		}
	}
	return most
}

// roomy is the arena, or a new one when it has no room for so many bytes: it must stay where it is.
func roomy(arena []byte, most int64) []byte {
	if int64(cap(arena)) < most {
		arena = disk.AlignedBuffer(int(most))
	}
	return arena[:0]
}

func (l *Log) newGroup() *group {
	s := l.active
	g := &group{segment: s, start: l.next, begun: l.next, at: s.end, end: s.end, blocks: l.whole, time: l.time, arena: l.arena}
	if g.blocks {
		g.at = blockUp(s.end)
		g.end = g.at
	}
	if s.headless {
		g.at = 0
		g.arena = s.appendHead(g.arena, l.head.Salt)
	}
	return g
}

// blockUp is the first block that begins at or behind the place.
func blockUp(at int64) int64 { return (at + disk.BlockSize - 1) &^ (disk.BlockSize - 1) }

// place gives the entry its number, T and place, and turns it into a duplicate
// when its key is known. A duplicate of an entry of the same group shares its sync.
func (l *Log) place(g *group, e *Entry) error {
	t := max(g.time, e.ReceivedAt)
	if e.Key.Upload != "" && e.Kind != testengine.KindDuplicate && l.recent.has(e.Key, t) {
		e.Kind = testengine.KindDuplicate
		e.Body = nil
	}
	number := g.start + int64(len(g.placed))
	f := frame{number: number, time: t, group: uint32(number - g.begun), lane: uint16(e.Lane)}
	mark := len(g.arena)
	g.arena = appendFrame(g.arena, f, e)
	size := int64(len(g.arena) - mark + len(e.Body))
	if g.end+size > g.segment.capacity {
		g.arena = g.arena[:mark]
		return errSegmentFull
	}
	g.arena = appendBody(g.arena, mark, l.head.Salt, e.Body)
	if e.Key.Upload != "" && e.Kind != testengine.KindDuplicate {
		l.recent.add(e.Key, t)
	}
	e.Number = number
	g.placed = append(g.placed, placed{entry: e, frame: f, size: size, offset: g.end})
	g.end += size
	g.time = t
	return nil
}

// finish makes a group durable, hands it to the readers and answers for it.
func (l *Log) finish(g *group) error {
	if len(g.placed) == 0 {
		l.answerAll(g.complete, nil)
		return nil
	}
	if err := l.store(g); err != nil {
		return err
	}
	l.settle(g)
	return nil
}

// settle hands a durable group to the readers and answers for it.
func (l *Log) settle(g *group) {
	l.publish(g)
	l.answerAll(g.complete, nil)
}

// store writes and syncs a group.
func (l *Log) store(g *group) error {
	if err := g.write(); err != nil {
		return err
	}
	copied := l.keepInMemory(g)
	err := makeDurable(g.segment.file)
	<-copied
	return err
}

func (g *group) write() error {
	if g.blocks {
		fill := blockUp(g.end) - g.end
		if g.end+fill <= g.segment.capacity {
			g.arena = append(g.arena, make([]byte, fill)...)
		}
	}
	if _, err := g.segment.file.WriteAt(g.arena, g.at); err != nil {
		return fmt.Errorf("writing to the upload log: %w", err)
	}
	return nil
}

// makeDurable is the sync before the answer.
func makeDurable(f disk.File) error { return f.Sync() }

// publish shows the group to the readers.
func (l *Log) publish(g *group) {
	l.mu.Lock()
	s := g.segment
	if s.headless && len(l.segments) > 0 && l.segments[len(l.segments)-1] != s {
		l.segments = append(l.segments, s)
	}
	s.headless = false
	s.end = g.end
	for i := range g.placed {
		p := &g.placed[i]
		at := &l.lanes[p.entry.Lane]
		at.last = p.frame.number
		at.count++
		at.bytes += p.size
		if p.entry.Kind == testengine.KindDuplicate {
			l.duplicates++
		}
		l.addRef(s, p.entry.Lane, ref{number: p.frame.number, offset: uint32(p.offset), length: uint32(p.size), record: p.record})
	}
	l.next = g.start + int64(len(g.placed))
	l.time = g.time
	l.mu.Unlock()
	l.reserveAhead(s)
	l.options.Changed()
}

// giveUp answers a group that did not become durable. After a full disk its
// bytes are wiped and the log goes on; after any other error of the disk
// nothing is certain any more, so it accepts nothing until it is opened anew.
func (l *Log) giveUp(g *group, err error) error {
	l.forget(g)
	switch {
	case len(g.placed) == 0 || errors.Is(err, ErrFull):
	case errors.Is(err, syscall.ENOSPC):
		err = fmt.Errorf("%w: %w", ErrFull, err)
		if cut := g.segment.cutTail(g.at); cut != nil {
			err = l.fail(cut)
		}
	default:
		err = l.fail(err)
	}
	l.answerAll(g.complete, err)
	return err
}

// forget takes a group's entries off what is known of recent ones.
func (l *Log) forget(g *group) {
	for i := range g.placed {
		if e := g.placed[i].entry; e.Key.Upload != "" && e.Kind != testengine.KindDuplicate {
			l.recent.forget(e.Key)
		}
		l.forgetCopy(&g.placed[i])
	}
}

// fail closes the log for writers for good.
func (l *Log) fail(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil {
		l.failed = fmt.Errorf("%w after an error of the disk; what it answered for is safe, restart when the disk is repaired: %w", ErrFailed, err)
	}
	return l.failed
}

func (l *Log) answerAll(requests []*request, err error) {
	for _, r := range requests {
		l.answers <- answer{done: r.done, err: err}
	}
}
