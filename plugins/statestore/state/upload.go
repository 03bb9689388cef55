package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sync"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

// errSuperseded says that another owner of the partition writes manifests.
var errSuperseded = errors.New("another process writes this partition's manifests: this one's are out of date and it stops uploading until it is restored")

// claims is how often the first manifest after a restore looks for a free number.
const claims = 8

// remote is what the process knows of a partition's copy in the depot. It begins
// anew with every restore.
type remote struct {
	// next is the number of the next manifest, 0 until it is known.
	next int64
	// claimed says that this process wrote the newest manifest: whoever takes a
	// number from then on is a later owner.
	claimed bool
	stopped bool
	// files by local name that the depot has.
	files map[string]remoteFile
	// done is the local manifest that was uploaded last.
	done int64
}

func newRemote() *remote { return &remote{files: map[string]remoteFile{}} }

// An uploadJob is one local manifest with its files held open, so that the
// cleaner may remove their names meanwhile.
type uploadJob struct {
	partition *partition
	remote    *remote
	manifest  manifest
	files     []remoteFile
	open      map[string]disk.File
}

// RunUploads uploads at every tick until the context ends. One partition's
// failure is kept from the others and told to warn.
func (s *Store) RunUploads(ctx context.Context, ticks <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
		}
		if err := s.Upload(ctx); err != nil && ctx.Err() == nil {
			s.options.Warn(err.Error())
		}
	}
}

// Upload brings the newest snapshot of every partition to the depot. Without a
// depot it does nothing.
func (s *Store) Upload(ctx context.Context) error {
	var all error
	for _, p := range s.all() {
		if s.options.Depot == nil || ctx.Err() != nil {
			break
		}
		start := s.options.Now()
		did, err := p.upload(ctx)
		if err != nil {
			err = fmt.Errorf("uploading the state of partition %d: %w", p.number, err)
		}
		if did || err != nil {
			s.options.Uploaded(s.options.Now().Sub(start), err)
		}
		all = errors.Join(all, err)
	}
	return all
}

func (p *partition) upload(ctx context.Context) (did bool, err error) {
	p.uploading.Lock()
	defer p.uploading.Unlock()
	job, err := p.uploadJob()
	if job == nil || err != nil {
		return false, err
	}
	defer job.close()
	if err := job.put(ctx); err != nil {
		return true, err
	}
	if err := job.publish(ctx); err != nil {
		return true, err
	}
	return true, p.sweep(ctx, job.manifest.owner)
}

// uploadJob takes the newest local manifest, unless the depot has it.
func (p *partition) uploadJob() (*uploadJob, error) {
	p.files.Lock()
	defer p.files.Unlock()
	if p.folder == nil || p.failure() != nil || p.unsafe || len(p.folder.manifests) == 0 || p.remote.stopped {
		return nil, nil //nolint:nilnil // nothing to do
	}
	m := p.folder.manifests[0]
	// Before the first record there is only what was imported, in a base, or a reset.
	nothing := m.S < 0 && m.Epoch == 0 && m.Base == nil
	if m.Number <= p.remote.done || nothing {
		return nil, nil //nolint:nilnil // nothing to do
	}
	job := &uploadJob{partition: p, remote: p.remote, manifest: m, open: map[string]disk.File{}}
	if m.Base != nil {
		job.files = append(job.files, remoteFile{Local: path.Base(baseName("", m.Base.Number)), Bytes: m.Base.Bytes})
	}
	for _, s := range m.Segments {
		job.files = append(job.files, remoteFile{Local: path.Base(segmentName("", s.Number)), Bytes: s.Bytes})
	}
	for n, f := range job.files {
		if known, ok := p.remote.files[f.Local]; ok && known.Bytes == f.Bytes {
			job.files[n] = known
			continue
		}
		file, err := p.folder.disk.Open(path.Join(p.folder.dir, f.Local))
		if err != nil {
			job.close()
			return nil, err
		}
		job.open[f.Local] = file
	}
	return job, nil
}

func (j *uploadJob) close() {
	for _, file := range j.open {
		_ = file.Close()
	}
}

// put uploads the files that the depot does not have.
func (j *uploadJob) put(ctx context.Context) error {
	o := j.partition.store.options
	for n := range j.files {
		f := &j.files[n]
		file := j.open[f.Local]
		if file == nil {
			continue
		}
		f.Object = objectName(f.Local, o.Now().UnixMilli(), o.Process)
		if err := o.Depot.Put(ctx, path.Join(remoteFolder(j.partition.number), f.Object), file, f.Bytes); err != nil {
			return err
		}
		j.remote.files[f.Local] = *f
	}
	return nil
}

// publish writes the manifest that names the files. The first one after a
// restore takes the next free number; once this process has one, a number that
// somebody else took means that the partition has a later owner.
func (j *uploadJob) publish(ctx context.Context) error {
	p, r, d := j.partition, j.remote, j.partition.store.options.Depot
	whole, err := sealJSON(remoteManifest{Format: remoteFormat, State: j.manifest, Files: j.files})
	if err != nil {
		return err
	}
	for range claims {
		if r.next == 0 {
			names, err := d.List(ctx, remoteFolder(p.number))
			if err != nil {
				return err
			}
			r.next = 1
			if numbers := remoteNumbers(names); len(numbers) > 0 {
				r.next = numbers[0] + 1
			}
		}
		err := d.PutNew(ctx, remoteManifestName(p.number, r.next), whole)
		if errors.Is(err, ErrTaken) && j.isOurs(ctx, r.next, whole) {
			err = nil
		}
		switch {
		case err == nil:
			r.next, r.claimed, r.done = r.next+1, true, j.manifest.Number
			r.forget(j.files)
			return nil
		case !errors.Is(err, ErrTaken):
			return err
		case r.claimed:
			r.stopped = true
			return errSuperseded
		}
		r.next = 0
	}
	return fmt.Errorf("writing a manifest: %w %d times", ErrTaken, claims)
}

// isOurs reports whether the manifest is the one that was to be written: a
// request can be done and its answer lost.
func (j *uploadJob) isOurs(ctx context.Context, number int64, whole []byte) bool {
	var there buffer
	_, err := j.partition.store.options.Depot.Get(ctx, remoteManifestName(j.partition.number, number), &there)
	return err == nil && bytes.Equal(there, whole)
}

// forget drops the names that the newest manifest does not have.
func (r *remote) forget(kept []remoteFile) {
	clear(r.files)
	for _, f := range kept {
		r.files[f.Local] = f
	}
}

// sweep removes all but the newest manifests (Options.Keep), and the files that
// none of those names and that are older than Options.OrphanAge: a younger one may
// belong to a manifest that is being written.
func (p *partition) sweep(ctx context.Context, who owner) error {
	o, folder := p.store.options, remoteFolder(p.number)
	names, err := o.Depot.List(ctx, folder)
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	for n, number := range remoteNumbers(names) {
		name := remoteManifestName(p.number, number)
		if n >= o.Keep {
			if err := o.Depot.Delete(ctx, name); err != nil {
				return err
			}
			continue
		}
		m, err := readRemoteManifest(ctx, o.Depot, who, number)
		if errors.Is(err, errManifest) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, f := range m.Files {
			needed[f.Object] = true
		}
	}
	oldest := o.Now().Add(-o.OrphanAge).UnixMilli()
	for _, name := range names {
		if at, ok := uploadedAt(name); !ok || at > oldest || needed[name] {
			continue
		}
		if err := o.Depot.Delete(ctx, path.Join(folder, name)); err != nil {
			return err
		}
	}
	return nil
}

// uploads guards a partition's copy in the depot: one upload at a time.
type uploads struct {
	uploading sync.Mutex
	remote    *remote // changed by a restore, which holds files
}
