package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

// A folder is the files of one partition.
type folder struct {
	disk disk.Disk
	dir  string
	who  owner
	warn func(string)

	names []string
	// last is the greatest number of any file.
	last int64
	// headers of all segments whose header verifies, by number.
	headers   map[int64]segmentHeader
	manifests []manifest // newest first, those that verify
}

// errForeign is the guard that binds files to their log.
func (f *folder) errForeign(name string, found owner) error {
	if found == f.who {
		return nil
	}
	if found.Pipeline != f.who.Pipeline {
		return fmt.Errorf("the state in %s belongs to pipeline %q, not to %q: %w (%s)", f.dir, found.Pipeline, f.who.Pipeline, errForeign, name)
	}
	if found.LogID != f.who.LogID {
		return fmt.Errorf("the state in %s belongs to log %s, not to %s: %w (%s)", f.dir, found.LogID, f.who.LogID, errForeign, name)
	}
	return fmt.Errorf("the state in %s is that of partition %d of %d, not %d of %d: %w", f.dir, found.Partition, found.Partitions, f.who.Partition, f.who.Partitions, errForeign)
}

var errForeign = errors.New("it was written for another one")

// scan lists the folder and reads all headers and manifests.
func (f *folder) scan() (err error) {
	f.headers, f.manifests, f.last = map[int64]segmentHeader{}, nil, 0
	if f.names, err = f.disk.List(f.dir); err != nil {
		return err
	}
	for _, name := range slices.Backward(f.names) {
		if err := f.scanFile(name); err != nil {
			return err
		}
	}
	slices.SortFunc(f.manifests, func(a, b manifest) int { return int(b.Number - a.Number) })
	return nil
}

func (f *folder) scanFile(name string) error {
	full := path.Join(f.dir, name)
	if number, ok := numberOf(name, segmentPrefix, segmentSuffix); ok {
		f.last = max(f.last, number)
		var header segmentHeader
		file, err := openFrames(f.disk, full, &header)
		if errors.Is(err, errHeader) {
			f.warn("leaving out " + full + ": " + errHeader.Error())
			return nil
		}
		if err != nil {
			return err
		}
		file.close()
		f.headers[number] = header
		return f.errForeign(name, header.owner)
	}
	if number, ok := numberOf(name, manifestPrefix, manifestSuffix); ok {
		f.last = max(f.last, number)
		m, err := readManifest(f.disk, full)
		if errors.Is(err, errManifest) {
			f.warn("leaving out " + full + ": " + errManifest.Error())
			return nil
		}
		if err != nil {
			return err
		}
		f.manifests = append(f.manifests, m)
		return f.errForeign(name, m.owner)
	}
	if number, ok := numberOf(name, basePrefix, baseSuffix); ok {
		f.last = max(f.last, number)
	}
	return nil
}

// chain follows the newest segment back to the first one that is asked for. A
// power cut can keep a segment and lose the one before; then the chain ends
// earlier. It is empty when no segment leads back there.
func (f *folder) chain(isFirst func(segmentHeader) bool) (c chain) {
	for _, newest := range slices.Backward(slices.Sorted(maps.Keys(f.headers))) {
		c = c[:0]
		for number := newest; number > 0; {
			header, ok := f.headers[number]
			if !ok {
				break
			}
			c = append(c, segment{header: header})
			if isFirst(header) {
				slices.Reverse(c)
				return c
			}
			number = header.Prev
		}
	}
	return nil
}

// beginsEmpty says that nothing comes before the segment.
func beginsEmpty(h segmentHeader) bool { return h.Prev == 0 && h.Cut == 0 }

// found is a state that could be read.
type found struct {
	image *image
	used  chain
	base  *baseRef
	// epoch and origin of the manifest
	snapshotMarks
}

// newest reads the newest state that is not beyond bound: by the newest
// manifest whose files verify, or from the first segment of all. It is nil when
// there is none.
func (f *folder) newest(ctx context.Context, begin, bound int64) (*found, error) {
	for _, m := range f.manifests {
		got, err := f.read(ctx, m, bound)
		if err != nil && !isRot(err) {
			return nil, err
		}
		if err != nil {
			f.warn("leaving out a manifest: " + err.Error())
			continue
		}
		if got != nil && got.image.position >= begin {
			return got, nil
		}
	}
	if c := f.chain(beginsEmpty); c != nil {
		i := newImage()
		used, err := i.replay(ctx, f.disk, f.dir, c, bound)
		if err != nil && !isRot(err) {
			return nil, err
		}
		if err == nil && i.position >= begin {
			return &found{image: i, used: used}, nil
		}
	}
	return nil, nil //nolint:nilnil // no state is an answer
}

// isRot tells files that do not verify from a disk that does not answer.
func isRot(err error) bool {
	return errors.Is(err, errBase) || errors.Is(err, errHeader) || errors.Is(err, errChange) || errors.Is(err, fs.ErrNotExist)
}

// take gives the next number for a file.
func (f *folder) take() int64 {
	f.last++
	return f.last
}

// read reads what a manifest names and what continues it; nil when a cut or the bound excludes it.
func (f *folder) read(ctx context.Context, m manifest, bound int64) (*found, error) {
	i := newImage()
	c := f.chain(func(h segmentHeader) bool { return h.Number == m.First })
	if m.Base != nil {
		if m.Base.Next > bound || f.voids(*m.Base) {
			return nil, nil //nolint:nilnil // not this one
		}
		if err := readBase(f.disk, baseName(f.dir, m.Base.Number), i); err != nil {
			return nil, err
		}
	} else if len(c) == 0 || !beginsEmpty(c[0].header) {
		return nil, nil //nolint:nilnil // not this one
	}
	used, err := i.replay(ctx, f.disk, f.dir, c, bound)
	if err != nil {
		return nil, err
	}
	return &found{image: i, used: used, base: m.Base, snapshotMarks: snapshotMarks{epoch: m.Epoch, origin: m.Origin}}, nil
}

// forgetVoid leaves the places of manifests whose base was cut to those that can be used.
func (f *folder) forgetVoid(cut int64) {
	f.manifests = slices.DeleteFunc(f.manifests, func(m manifest) bool { return m.Base != nil && m.Base.Next > cut })
}

// voids reports whether the state was cut before the base's position after the base was made.
func (f *folder) voids(base baseRef) bool {
	for number, header := range f.headers {
		if number > base.LastSegment && header.Cut < base.Next {
			return true
		}
	}
	return false
}

func baseName(dir string, number int64) string { return numbered(dir, basePrefix, number, baseSuffix) }

// clean removes everything but the newest keep manifests, the bases they name,
// and the segments of the chain from the oldest one they need.
func (f *folder) clean(keep int, current chain) error {
	names, err := f.disk.List(f.dir)
	if err != nil {
		return err
	}
	kept, needed := map[string]bool{}, int64(noCut)
	for n, m := range f.manifests {
		if n >= keep {
			break
		}
		kept[path.Base(numbered(f.dir, manifestPrefix, m.Number, manifestSuffix))] = true
		needed = min(needed, m.First)
		if m.Base != nil {
			kept[path.Base(baseName(f.dir, m.Base.Number))] = true
		}
	}
	newest := current[len(current)-1].header.Number
	for _, s := range current {
		if s.header.Number >= needed || len(f.manifests) == 0 {
			kept[path.Base(segmentName(f.dir, s.header.Number))] = true
		}
	}
	f.manifests = f.manifests[:min(keep, len(f.manifests))]
	for _, name := range names {
		if number, is := numberOf(name, segmentPrefix, segmentSuffix); is && number > newest {
			continue // made meanwhile
		}
		if kept[name] || !ours(name) {
			continue
		}
		if err := f.disk.Remove(path.Join(f.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func ours(name string) bool {
	_, isSegment := numberOf(name, segmentPrefix, segmentSuffix)
	_, isBase := numberOf(name, basePrefix, baseSuffix)
	_, isManifest := numberOf(name, manifestPrefix, manifestSuffix)
	return isSegment || isBase || isManifest || path.Ext(name) == disk.TemporarySuffix
}
