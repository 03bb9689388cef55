package disklog

import "bytes"

// keepInMemory keeps the group's bodies for readers that keep up, as far as the
// budget goes: those that were given as they are, copies of the others, which are
// made while the group is being synced. The channel closes when it is done.
func (l *Log) keepInMemory(g *group) <-chan struct{} {
	copied := make(chan struct{})
	kept := l.claimMemory(g)
	if kept == 0 {
		close(copied)
		return copied
	}
	go func() {
		defer close(copied)
		for i := range kept {
			p := &g.placed[i]
			p.record.Body = p.entry.kept()
		}
	}()
	return copied
}

// kept is the entry's body for as long as somebody may read it. A given body with
// much room behind it is copied: it would hold memory that nobody counts.
func (e *Entry) kept() []byte {
	if e.Given && cap(e.Body)-len(e.Body) <= len(e.Body)/8 {
		return e.Body
	}
	return bytes.Clone(e.Body)
}

// claimMemory decides how many of the group's entries, from its first on, are kept.
func (l *Log) claimMemory(g *group) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range g.placed {
		p := &g.placed[i]
		if l.memory+p.size > l.options.MemoryBytes {
			return i
		}
		l.memory += p.size
		p.record = &Record{
			Number: p.frame.number, Lane: p.entry.Lane, Time: p.frame.time,
			Kind: p.entry.Kind, Key: p.entry.Key, Meta: p.entry.Meta, frameBytes: p.size,
		}
	}
	return len(g.placed)
}

func (l *Log) forgetCopy(p *placed) {
	if p.record == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.memory -= p.size
	p.record = nil
}

// takeRecord gives an entry's record out of memory; the caller holds mu.
func (l *Log) takeRecord(r *ref) *Record {
	record := r.record
	if record != nil {
		l.memory -= int64(r.length)
		r.record = nil
	}
	return record
}
