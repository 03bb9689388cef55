package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// restore brings the partition to the newest mark that is not beyond cursor and
// makes sure that nothing beyond it ever comes back. No batch of the partition
// may be in flight.
func (p *partition) restore(ctx context.Context, log testengine.LogIdentity, begin, cursor int64) (next int64, err error) {
	p.files.Lock()
	defer p.files.Unlock()
	// What the log no longer has was done: its cursor may be older than that.
	cursor = max(cursor, begin)
	p.begin = begin
	if !p.durable {
		return p.restoreMemory(begin)
	}
	if p.closeWriter() {
		p.unsafe = true
	}
	if p.folder == nil || p.folder.who != p.owner(log) {
		p.folder = &folder{disk: p.store.disk, dir: p.store.dir(p.number), who: p.owner(log), warn: p.store.options.Warn}
		if err := p.store.makeDir(p.folder.dir); err != nil {
			return 0, err
		}
	}
	if err := p.folder.scan(); err != nil {
		return 0, fmt.Errorf("reading the state of partition %d: %w", p.number, err)
	}
	if err := p.dropUntrusted(); err != nil {
		return 0, err
	}
	got, err := p.folder.newest(ctx, begin, cursor)
	if err != nil {
		return 0, fmt.Errorf("restoring the state of partition %d: %w", p.number, err)
	}
	if got, err = p.later(ctx, got, begin, cursor); err != nil {
		return 0, fmt.Errorf("restoring the state of partition %d: %w", p.number, err)
	}
	if got == nil {
		if begin > 0 {
			return 0, p.errNoState(begin, cursor)
		}
		got = &found{image: newImage()}
	}
	p.marks = got.snapshotMarks
	if err := p.continueAt(got); err != nil {
		return 0, fmt.Errorf("restoring the state of partition %d: %w", p.number, err)
	}
	if err := p.adopt(got.image); err != nil {
		return 0, err
	}
	return got.image.position, p.folder.clean(p.store.options.Keep, p.current())
}

func (p *partition) errNoState(begin, cursor int64) error {
	return fmt.Errorf("%s holds no state of partition %d between the log's first record %d and its cursor %d; "+
		"`connect-testengine state reset` begins anew with what the log still has", p.store.dir(p.number), p.number, begin, cursor)
}

// restoreMemory begins anew: without files the state of record begin is only
// known where the log begins.
func (p *partition) restoreMemory(begin int64) (int64, error) {
	if begin > 0 {
		return 0, fmt.Errorf("state in memory can only follow a log from its beginning, but the log of partition %d begins at %d", p.number, begin)
	}
	return 0, p.adopt(newImage())
}

// closeWriter ends the present segment, if there is one, and reports whether
// its unsynced bytes cannot be trusted.
func (p *partition) closeWriter() (untrusted bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.writer == nil {
		return false
	}
	untrusted = p.failure() != nil
	if _, err := p.writer.seal(); err != nil {
		_ = p.writer.file.Close()
		untrusted = true
	}
	p.writer = nil
	return untrusted
}

// dropUntrusted removes the segments of this process that were never synced,
// after a write or a sync failed: a page that could not be written may be read
// back until it is gone.
func (p *partition) dropUntrusted() error {
	if !p.unsafe {
		return nil
	}
	lastSynced := int64(0)
	for _, s := range p.sealed {
		if s.synced {
			lastSynced = s.header.Number
		}
	}
	for number := range p.folder.headers {
		if number <= lastSynced {
			continue
		}
		if err := p.dropSegment(number); err != nil {
			return fmt.Errorf("dropping deltas that were never synced: %w", err)
		}
	}
	p.unsafe = false
	return nil
}

// dropSegment removes a segment; of the one that began with the last restore the
// header stays, since its cut is in force.
func (p *partition) dropSegment(number int64) error {
	name := segmentName(p.folder.dir, number)
	if number == p.cutSegment {
		file, err := p.folder.disk.Open(name)
		if err != nil {
			return err
		}
		return errors.Join(file.Truncate(p.cutHeader), file.Sync(), file.Close())
	}
	delete(p.folder.headers, number)
	if err := p.folder.disk.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// continueAt begins a segment whose cut voids everything beyond the restored
// position, for ever: it is durable before the first record is done again.
func (p *partition) continueAt(got *found) error {
	d, dir := p.folder.disk, p.folder.dir
	for n := range got.used {
		if err := got.used[n].sync(d, dir); err != nil {
			return err
		}
	}
	header := segmentHeader{owner: p.folder.who, Number: p.folder.take(), Cut: got.image.position}
	if n := len(got.used); n > 0 {
		header.Prev, header.PrevEnd = got.used[n-1].header.Number, got.used[n-1].end
	}
	w, err := newWriter(d, dir, header)
	if err != nil {
		return err
	}
	if err := errors.Join(w.file.Sync(), d.SyncDir(dir)); err != nil {
		return errors.Join(err, w.file.Close())
	}
	p.mutex.Lock()
	p.writer, p.sealed, p.base = w, got.used, got.base
	p.mutex.Unlock()
	p.cutSegment, p.cutHeader = header.Number, w.start
	p.folder.forgetVoid(got.image.position)
	var tables []tableInfo
	time := int64(0)
	for _, t := range got.image.list() {
		tables, time = append(tables, t.info()), max(time, t.time)
	}
	return p.writeManifest(tables, got.image.position, time)
}

// adopt puts the image's tables in the place of the present ones, which their
// users hold.
func (p *partition) adopt(i *image) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, t := range p.tables {
		t.clear()
	}
	for _, read := range i.list() {
		at := slices.IndexFunc(p.tables, func(t *Table) bool { return t.name == read.name })
		if at < 0 {
			p.tables = append(p.tables, newTable(p, read.id, read.name))
			at = len(p.tables) - 1
			p.tables[at].logic = read.logic
		}
		p.tables[at].become(read)
	}
	for _, t := range p.tables {
		t.floor = i.position
		t.generation.Add(1)
		t.publishDue()
	}
	p.start, p.acked, p.synced, p.passed = i.position, i.position, i.position, nil
	p.failed.Store(nil)
	if p.writer != nil {
		if err := p.introduceTables(); err != nil {
			return p.fail(err)
		}
	}
	if !p.isReady() {
		close(p.ready)
	}
	return nil
}

// become takes what another table holds. Its logic is what the present user is
// told; the segment that has just begun names it anew.
func (t *Table) become(read *Table) {
	t.id = read.id
	t.entries, t.slabs, t.timers = read.entries, read.slabs, read.timers
	t.last, t.time, t.restoredLogic = read.last, read.time, read.logic
	t.timers.rebuild()
}
