//go:build synctests

package kafka

import (
	"errors"
	"io"
	"sync"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

// simProcess is one life of a worker: it runs, is frozen, or is dead. All of its
// ways to the world ask it.
type simProcess struct {
	mu     sync.Mutex
	frozen chan struct{}
	dead   chan struct{}
	over   bool
	// buried is closed when what still waits in a dead process may end.
	buried chan struct{}
	// disks is held for reading by an operation of a disk, for writing by death:
	// nothing of this life is written behind it.
	disks sync.RWMutex
}

func newSimProcess() *simProcess {
	return &simProcess{dead: make(chan struct{}), buried: make(chan struct{})}
}

func (p *simProcess) running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.over
}

// passage waits while the process is frozen or dead; false means that it is given
// up. What is dead waits until its burial: it must not even see that it is.
func (p *simProcess) passage(closed <-chan struct{}) bool {
	for {
		p.mu.Lock()
		frozen, over := p.frozen, p.over
		p.mu.Unlock()
		switch {
		case over:
			select {
			case <-p.buried:
			case <-closed:
			}
			return false
		case frozen == nil:
			return true
		}
		select {
		case <-frozen:
		case <-p.dead:
		case <-closed:
			return false
		}
	}
}

// bury lets what waits in a dead process end.
func (p *simProcess) bury() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.buried:
	default:
		close(p.buried)
	}
}

func (p *simProcess) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen == nil && !p.over {
		p.frozen = make(chan struct{})
	}
}

func (p *simProcess) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
}

// die ends the life; disks, which may lose what was not synced, are called at its end.
func (p *simProcess) die(disks func()) bool {
	p.mu.Lock()
	if p.over {
		p.mu.Unlock()
		return false
	}
	p.over = true
	close(p.dead)
	p.mu.Unlock()
	p.disks.Lock()
	defer p.disks.Unlock()
	disks()
	return true
}

var errSimDead = errors.New("the simulated process is dead")

// simDisk is a disk as one process sees it. A frozen process may still write to
// it: waiting here would hold mutexes of the state, and with them virtual time.
type simDisk struct {
	disk.Disk
	process *simProcess
}

// enter begins an operation. The returned function ends it.
func (d simDisk) enter() (leave func(), err error) {
	d.process.disks.RLock()
	if !d.process.running() {
		d.process.disks.RUnlock()
		return nil, errSimDead
	}
	return d.process.disks.RUnlock, nil
}

func simDo[T any](d simDisk, do func() (T, error)) (out T, err error) {
	leave, err := d.enter()
	if err != nil {
		return out, err
	}
	defer leave()
	return do()
}

func simTry(d simDisk, do func() error) error {
	_, err := simDo(d, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

func (d simDisk) file(f disk.File, err error) (disk.File, error) {
	if err != nil {
		return nil, err
	}
	return simFile{File: f, disk: d}, nil
}

func (d simDisk) Create(name string) (disk.File, error) {
	return d.file(simDo(d, func() (disk.File, error) { return d.Disk.Create(name) }))
}

func (d simDisk) Open(name string) (disk.File, error) {
	return d.file(simDo(d, func() (disk.File, error) { return d.Disk.Open(name) }))
}

func (d simDisk) Remove(name string) error {
	return simTry(d, func() error { return d.Disk.Remove(name) })
}

func (d simDisk) Rename(from, to string) error {
	return simTry(d, func() error { return d.Disk.Rename(from, to) })
}

func (d simDisk) List(dir string) ([]string, error) {
	return simDo(d, func() ([]string, error) { return d.Disk.List(dir) })
}

func (d simDisk) MkdirAll(dir string) error {
	return simTry(d, func() error { return d.Disk.MkdirAll(dir) })
}

func (d simDisk) SyncDir(dir string) error {
	return simTry(d, func() error { return d.Disk.SyncDir(dir) })
}

func (d simDisk) Lock(dir string) (io.Closer, error) {
	return simDo(d, func() (io.Closer, error) { return d.Disk.Lock(dir) })
}

type simFile struct {
	disk.File
	disk simDisk
}

func (f simFile) WriteAt(b []byte, at int64) (int, error) {
	return simDo(f.disk, func() (int, error) { return f.File.WriteAt(b, at) })
}

func (f simFile) ReadAt(b []byte, at int64) (int, error) {
	return simDo(f.disk, func() (int, error) { return f.File.ReadAt(b, at) })
}

func (f simFile) Truncate(size int64) error {
	return simTry(f.disk, func() error { return f.File.Truncate(size) })
}

func (f simFile) Sync() error { return simTry(f.disk, f.File.Sync) }
