package detect

import (
	"encoding/binary"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/wire"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const (
	// passesBudget bounds the bits of passes a suite keeps; it never goes below minPasses commits.
	passesBudget = 32 << 20
	minPasses    = 256
	maxPasses    = 4096
	maxCommits   = 16384
	pageTests    = 512
	pageBytes    = pageTests / 8
)

// commit is what a suite remembers of a commit.
type commit struct {
	slot  uint32
	first int64     // when it was first seen
	place [2]uint32 // its place on the default branch and in the queue, from 1; 0 is not seen there
	run   uint64    // the run that saw it first
	runs  bool      // more runs than that saw it
}

func (c *commit) append(w *wire.Writer) {
	w.Byte(kindCommit)
	w.U32(c.slot)
	w.Int(c.first)
	w.U32(c.place[0])
	w.U32(c.place[1])
	w.U64(c.run)
	w.Byte(byte(flag(c.runs)))
}

func (c *commit) read(value []byte) {
	b := wire.Reader{Bytes: value}
	b.Byte()
	c.slot, c.first = b.U32(), b.Int()
	c.place[0], c.place[1] = b.U32(), b.U32()
	c.run, c.runs = b.U64(), b.Byte() == 1
}

// commitOf finds or adds the commit of an upload. Its place on a line is the
// order in which commits were first seen there.
func (e *Engine) commitOf(s *suite, sha string, class int, run uint64, now int64) commit {
	id := testengine.Hash(s.seed, sha)
	key := keyOf(s.seed, kindCommit, id)
	var c commit
	changed := false
	if value := e.state.Value(key); value != nil {
		c.read(value)
	} else {
		e.forgetCommits(s, now)
		s.nextSlot++
		c = commit{slot: s.nextSlot, first: now, run: run}
		e.state.SetValue(keyOf(s.seed, kindSlot, uint64(c.slot)), binary.LittleEndian.AppendUint64([]byte{kindSlot}, id))
		changed, s.dirty = true, true
	}
	if class < classOther && c.place[class] == 0 {
		s.newest[class]++
		c.place[class] = s.newest[class]
		changed, s.dirty = true, true
	}
	if c.run != run && !c.runs {
		c.runs, changed = true, true
	}
	if changed {
		e.writer.Bytes = e.writer.Bytes[:0]
		c.append(&e.writer)
		e.state.SetValue(key, e.writer.Bytes)
	}
	return c
}

// forgetCommits makes room for one more commit: the passes of the oldest go
// first, then, after their time, the commits themselves.
func (e *Engine) forgetCommits(s *suite, now int64) {
	keep := max(minPasses, min(maxPasses, passesBudget/max(s.nextDense, 1)))
	for s.oldestPasses+keep <= s.nextSlot {
		s.oldestPasses++
		e.forgetPasses(s, s.oldestPasses)
	}
	for s.oldestSlot < s.nextSlot {
		slotKey := keyOf(s.seed, kindSlot, uint64(s.oldestSlot+1))
		value := e.state.Value(slotKey)
		if value == nil {
			s.oldestSlot++
			continue
		}
		key := keyOf(s.seed, kindCommit, binary.LittleEndian.Uint64(value[1:]))
		var c commit
		c.read(e.state.Value(key))
		if c.first > now-s.settings.CommitTTL && s.nextSlot-s.oldestSlot < maxCommits {
			return
		}
		s.oldestSlot++
		e.state.Delete(slotKey)
		e.state.Delete(key)
		if s.oldestPasses < s.oldestSlot {
			s.oldestPasses = s.oldestSlot
			e.forgetPasses(s, s.oldestSlot)
		}
	}
}

func (e *Engine) forgetPasses(s *suite, slot uint32) {
	for page := uint32(0); page <= s.nextDense/pageTests; page++ {
		e.state.Delete(pageKey(s.seed, slot, page))
	}
}

func pageKey(seed uint64, slot, page uint32) uint64 {
	return keyOf(seed, kindPasses, uint64(slot)<<32|uint64(page))
}

// passes are the tests that passed on one commit, a bit each, in pages of 512
// tests. Pages are read when first touched and written back once a record.
type passes struct {
	seed  uint64
	slot  uint32
	pages []page
}

type page struct {
	loaded, dirty bool
	bits          [pageBytes / 8]uint64
}

// openPasses turns to another commit.
func (e *Engine) openPasses(s *suite, slot uint32) {
	if e.passes.seed == s.seed && e.passes.slot == slot {
		return
	}
	e.flushPasses()
	e.passes.seed, e.passes.slot = s.seed, slot
	for i := range e.passes.pages {
		e.passes.pages[i].loaded = false
	}
}

func (e *Engine) flushPasses() {
	for i := range e.passes.pages {
		p := &e.passes.pages[i]
		if !p.loaded || !p.dirty {
			continue
		}
		var raw [pageBytes]byte
		for j, word := range p.bits {
			binary.LittleEndian.PutUint64(raw[8*j:], word)
		}
		e.state.SetValue(pageKey(e.passes.seed, e.passes.slot, uint32(i)), raw[:])
		p.dirty = false
	}
}

func (e *Engine) pageOf(dense uint32) *page {
	at := int(dense / pageTests)
	for at >= len(e.passes.pages) {
		e.passes.pages = append(e.passes.pages, page{})
	}
	p := &e.passes.pages[at]
	if !p.loaded {
		e.loadPage(p, at)
	}
	return p
}

func (e *Engine) loadPage(p *page, at int) {
	*p = page{loaded: true}
	raw := e.state.Value(pageKey(e.passes.seed, e.passes.slot, uint32(at)))
	for j := 0; 8*j+8 <= len(raw); j++ {
		p.bits[j] = binary.LittleEndian.Uint64(raw[8*j:])
	}
}

// markPassed notes a pass on the open commit and says whether there was one before.
func (e *Engine) markPassed(dense uint32) (before bool) {
	if e.passes.slot == 0 {
		return false
	}
	p := e.pageOf(dense)
	word, bit := dense%pageTests/64, uint64(1)<<(dense%64)
	if p.bits[word]&bit != 0 {
		return true
	}
	p.bits[word] |= bit
	p.dirty = true
	return false
}

// passedBefore says whether the test passed on the open commit.
func (e *Engine) passedBefore(dense uint32) bool {
	if e.passes.slot == 0 {
		return false
	}
	return e.pageOf(dense).bits[dense%pageTests/64]&(1<<(dense%64)) != 0
}

// passedOn says whether the test passed on any commit that is remembered.
func (e *Engine) passedOn(s *suite, slot, dense uint32) bool {
	if e.passes.seed == s.seed && e.passes.slot == slot {
		return e.passedBefore(dense)
	}
	raw := e.state.Value(pageKey(s.seed, slot, dense/pageTests))
	at := int(dense % pageTests / 8)
	return at < len(raw) && raw[at]&(1<<(dense%8)) != 0
}
