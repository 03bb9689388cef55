package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
)

// incomingName is the folder beside a partition's files into which the depot's
// are copied before they take their place.
const incomingName = "incoming"

// fetchers is how many files are copied at once.
const fetchers = 4

// later returns the state of the depot if it is later than the node's own, or
// else the own. own is nil when the node has none. A depot that does not answer
// costs only a longer replay, unless there is nothing else.
func (p *partition) later(ctx context.Context, own *found, begin, cursor int64) (*found, error) {
	p.remote = newRemote()
	if p.store.options.Depot == nil {
		return own, nil
	}
	have, epoch := int64(-1), int64(0)
	if own != nil {
		have, epoch = own.image.position, own.epoch
	}
	got, err := p.fetchLater(ctx, have, epoch, begin, cursor)
	if err != nil && (own == nil || errors.Is(err, errNewer) || errors.Is(err, errForeign)) {
		return nil, err
	}
	if err != nil {
		p.store.options.Warn(fmt.Sprintf("the depot does not answer, going on with the state of this node: %v", err))
	}
	if got == nil {
		return own, nil
	}
	return got, nil
}

// fetchLater takes the newest manifest of the depot that leads beyond have, not
// beyond cursor, and whose every file verifies; nil when there is none. After a
// reset on another node the own files count no more, whatever they reach.
func (p *partition) fetchLater(ctx context.Context, have, epoch, begin, cursor int64) (*found, error) {
	depot := p.store.options.Depot
	names, err := depot.List(ctx, remoteFolder(p.number))
	if err != nil {
		return nil, fmt.Errorf("asking the depot: %w", err)
	}
	for _, number := range remoteNumbers(names) {
		m, err := readRemoteManifest(ctx, depot, p.folder.who, number)
		switch {
		case errors.Is(err, errManifest):
			p.store.options.Warn("leaving out a manifest of the depot: " + err.Error())
			continue
		case errors.Is(err, fs.ErrNotExist):
			continue // An owner cleaned it away.
		case err != nil:
			return nil, err
		}
		if m.State.Epoch > epoch {
			have, epoch = -1, m.State.Epoch
		}
		if m.State.Epoch < epoch {
			continue
		}
		if have >= cursor {
			break
		}
		bound := min(cursor, m.State.S+1)
		if bound <= have || bound < begin || m.State.Base != nil && m.State.Base.Next > cursor {
			continue
		}
		got, err := p.fetch(ctx, m, begin, bound)
		if err != nil {
			return nil, err
		}
		if got != nil && got.image.position > have && (got.image.position == bound || bound == cursor) {
			return got, p.swap(got, m)
		}
	}
	return nil, nil //nolint:nilnil // no state is an answer
}

// fetch copies the manifest's files beside the node's own and reads them; nil
// when one is missing or does not verify.
func (p *partition) fetch(ctx context.Context, m remoteManifest, begin, bound int64) (*found, error) {
	d := p.folder.disk
	dir := path.Join(p.folder.dir, incomingName)
	if err := d.MkdirAll(dir); err != nil {
		return nil, err
	}
	if err := p.empty(dir); err != nil {
		return nil, err
	}
	if err := p.copyFiles(ctx, m, dir); err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errManifest) {
			p.store.options.Warn("leaving out a manifest of the depot: " + err.Error())
			return nil, nil //nolint:nilnil // not this one
		}
		return nil, err
	}
	if err := writeManifest(d, dir, m.State); err != nil {
		return nil, err
	}
	incoming := &folder{disk: d, dir: dir, who: p.folder.who, warn: p.folder.warn}
	if err := incoming.scan(); err != nil {
		return nil, fmt.Errorf("reading what the depot has: %w", err)
	}
	got, err := incoming.read(ctx, m.State, bound)
	if err != nil && isRot(err) {
		p.store.options.Warn("leaving out a manifest of the depot: " + err.Error())
		return nil, nil //nolint:nilnil // not this one
	}
	if err != nil || got == nil || got.image.position < begin {
		return nil, err
	}
	return got, nil
}

// copyFiles copies some files at once. One whose length is not what the manifest
// says does not verify.
func (p *partition) copyFiles(ctx context.Context, m remoteManifest, dir string) error {
	var wait sync.WaitGroup
	errs := make([]error, len(m.Files))
	slots := make(chan struct{}, fetchers)
	for n, f := range m.Files {
		slots <- struct{}{}
		wait.Go(func() {
			errs[n] = p.copyFile(ctx, f, dir)
			<-slots
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

func (p *partition) copyFile(ctx context.Context, f remoteFile, dir string) error {
	if !ours(f.Local) || strings.Contains(f.Local, "/") {
		return fmt.Errorf("%q is no file of a state: %w", f.Local, errManifest)
	}
	file, err := p.folder.disk.Create(path.Join(dir, f.Local))
	if err != nil {
		return err
	}
	size, err := p.store.options.Depot.Get(ctx, path.Join(remoteFolder(p.number), f.Object), file)
	if err == nil && size != f.Bytes {
		err = fmt.Errorf("%s has %d bytes, not %d: %w", f.Object, size, f.Bytes, errManifest)
	}
	return errors.Join(err, file.Close())
}

// swap puts the fetched files in the place of the node's own. The own go first,
// the newest before the older ones, so that what a crash leaves is always the
// beginning of one state.
func (p *partition) swap(got *found, m remoteManifest) error {
	d, dir := p.folder.disk, p.folder.dir
	incoming := path.Join(dir, incomingName)
	names, err := d.List(incoming)
	if err != nil {
		return err
	}
	for _, name := range names {
		file, err := d.Open(path.Join(incoming, name))
		if err != nil {
			return err
		}
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			return err
		}
	}
	if err := p.empty(dir); err != nil {
		return err
	}
	slices.SortStableFunc(names, func(a, b string) int { return manifestsLast(a) - manifestsLast(b) })
	for _, name := range names {
		if err := d.Rename(path.Join(incoming, name), path.Join(dir, name)); err != nil {
			return err
		}
	}
	if err := errors.Join(d.SyncDir(incoming), d.SyncDir(dir)); err != nil {
		return err
	}
	for n := range got.used {
		got.used[n].synced = true
	}
	for _, f := range m.Files {
		p.remote.files[f.Local] = f
	}
	return p.folder.scan()
}

func manifestsLast(name string) int {
	if _, is := numberOf(name, manifestPrefix, manifestSuffix); is {
		return 1
	}
	return 0
}

// empty removes the state's files of a folder: manifests and bases, then the
// segments from the newest to the oldest.
func (p *partition) empty(dir string) error {
	d := p.folder.disk
	names, err := d.List(dir)
	if err != nil {
		return err
	}
	slices.Reverse(names) // manifest-…, delta-…, base-…
	for _, name := range names {
		if !ours(name) {
			continue
		}
		if err := d.Remove(path.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return d.SyncDir(dir)
}
