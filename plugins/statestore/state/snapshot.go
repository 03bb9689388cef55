package state

import (
	"context"
	"fmt"
)

// snapshot makes durable what was acknowledged so far: it seals the segment,
// syncs it, merges the base when there are enough deltas, and writes a manifest.
// The hot path waits for the sealing only.
func (p *partition) snapshot(ctx context.Context) error {
	p.files.Lock()
	defer p.files.Unlock()
	sealed, next, before, err := p.sealForSnapshot()
	if err != nil || sealed == nil {
		return err
	}
	options := p.store.options
	start := options.Now()
	err = p.secure(ctx, sealed, next, before)
	options.Snapshotted(options.Now().Sub(start), err)
	return err
}

// secure is the part of a snapshot that takes time.
func (p *partition) secure(ctx context.Context, sealed chain, next, before int64) error {
	d, dir := p.folder.disk, p.folder.dir
	if err := d.SyncDir(dir); err != nil {
		return p.failSync(err)
	}
	for n := range sealed {
		if err := sealed[n].sync(d, dir); err != nil {
			return p.failSync(err)
		}
	}
	p.mutex.Lock()
	copy(p.sealed, sealed)
	p.synced = next
	time, tables := p.time, p.infos()
	p.mutex.Unlock()
	if err := p.merge(ctx, sealed, before); err != nil {
		return err
	}
	if err := p.writeManifest(tables, next, time); err != nil {
		return p.fail(err)
	}
	return p.folder.clean(p.store.options.Keep, p.current())
}

// infos names the tables; their positions belong to their users.
func (p *partition) infos() (infos []tableInfo) {
	for _, t := range p.tables {
		infos = append(infos, tableInfo{ID: t.id, Name: t.name, Logic: t.logic})
	}
	return infos
}

// syncSealed makes full segments durable between snapshots, so that a snapshot
// has little left to sync.
func (p *partition) syncSealed() error {
	p.files.Lock()
	defer p.files.Unlock()
	p.mutex.Lock()
	sealed := append(chain(nil), p.sealed...)
	p.mutex.Unlock()
	if p.failure() != nil {
		return nil
	}
	for n := range sealed {
		if err := sealed[n].sync(p.folder.disk, p.folder.dir); err != nil {
			return p.failSync(err)
		}
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	copy(p.sealed, sealed)
	return nil
}

// sealForSnapshot returns the sealed segments, the position they contain, and
// the position of the snapshot before; nothing when nothing has changed.
func (p *partition) sealForSnapshot() (sealed chain, next, before int64, err error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.writer == nil || p.failure() != nil {
		return nil, 0, 0, nil
	}
	if p.writer.empty() && p.acked == p.synced {
		return nil, 0, 0, nil
	}
	if !p.writer.empty() {
		if err := p.rotate(); err != nil {
			return nil, 0, 0, p.fail(err)
		}
	}
	return append(chain(nil), p.sealed...), p.acked, p.synced, nil
}

func (p *partition) failSync(err error) error {
	p.unsafe = true
	return p.fail(fmt.Errorf("making deltas durable: %w", err))
}

// current is the chain that the writer continues, with the writer's own segment.
func (p *partition) current() chain {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return append(append(chain(nil), p.sealed...), segment{header: p.writer.header})
}

// merge makes a new base of the old one and the deltas below the snapshot
// before, so that a cursor that lags a snapshot behind still finds a base. One
// partition merges at a time; its state is in memory twice meanwhile.
func (p *partition) merge(ctx context.Context, sealed chain, upTo int64) error {
	bytes := int64(0)
	for _, s := range sealed {
		bytes += s.end
	}
	if bytes < p.store.options.MergeBytes || p.base != nil && (bytes < p.base.Bytes || upTo <= p.base.Next) {
		return nil
	}
	p.store.merging.Lock()
	defer p.store.merging.Unlock()
	i := newImage()
	d, dir := p.folder.disk, p.folder.dir
	if p.base != nil {
		if err := readBase(d, baseName(dir, p.base.Number), i); err != nil {
			return fmt.Errorf("merging deltas of partition %d: %w", p.number, err)
		}
	}
	if _, err := i.replay(ctx, d, dir, sealed, upTo); err != nil {
		return fmt.Errorf("merging deltas of partition %d: %w", p.number, err)
	}
	if i.position != upTo {
		return fmt.Errorf("merging deltas of partition %d: they end at %d, not at %d", p.number, i.position, upTo)
	}
	base := baseRef{Number: p.take(), Next: upTo, LastSegment: sealed[len(sealed)-1].header.Number}
	var err error
	if base.Bytes, err = writeBase(d, baseName(dir, base.Number), p.folder.who, upTo, i.list()); err != nil {
		return p.fail(err)
	}
	if err := d.SyncDir(dir); err != nil {
		return p.fail(err)
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.base = &base
	first := i.firstNeeded
	if first == 0 {
		first = p.writer.header.Number
	}
	if rest := p.sealed.from(first); rest != nil || i.firstNeeded == 0 {
		p.sealed = p.sealed[len(p.sealed)-len(rest):]
	}
	return nil
}

// writeManifest names the present files. The caller holds files.
func (p *partition) writeManifest(tables []tableInfo, next, time int64) error {
	p.mutex.Lock()
	m := manifest{owner: p.folder.who, Base: p.base, S: next - 1, Time: time, Tables: tables, First: p.writer.header.Number, Number: p.folder.take(), Epoch: p.marks.epoch, Origin: p.marks.origin}
	for _, s := range p.sealed {
		m.Segments = append(m.Segments, segmentRef{Number: s.header.Number, Bytes: s.end})
	}
	if len(p.sealed) > 0 {
		m.First = p.sealed[0].header.Number
	}
	p.mutex.Unlock()
	if err := writeManifest(p.folder.disk, p.folder.dir, m); err != nil {
		return err
	}
	p.folder.manifests = append([]manifest{m}, p.folder.manifests...)
	return nil
}

// take gives the next number for a file of the partition.
func (p *partition) take() int64 {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.folder.take()
}
