// Package crashdisk is a disk in memory that can lose power, be full and fail.
// Everything not synced may be gone after Crash: bytes sector by sector,
// creations and renames in the order in which they were made, as a journaling
// filesystem loses them. What happens is decided by a seed.
package crashdisk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

// ErrStopped is what every operation returns once StopAfter's operations are
// used up, as if the machine had stopped there; Crash or Kill start it again.
var ErrStopped = errors.New("the machine has stopped")

// Op is one operation, as hooks see it.
type Op struct {
	// Verb is create, open, remove, rename, mkdir, syncdir, list, read, write, allocate, truncate, sync or lock.
	Verb string
	// Name is the file or folder; of a rename the new name.
	Name string
}

// Disk is the simulated disk. It is safe for concurrent use.
type Disk struct {
	mu      sync.Mutex
	random  *rand.Rand
	names   map[string]*node
	durable map[string]*node
	pending []nameChange
	dirs    map[string]bool
	locks   map[string]*lock
	life    int
	hook    func(Op) error
	stop    int
	space   int64
	ops     int
}

// nameChange is a change of a folder that is not yet durable. A nil node removes the name.
type nameChange struct {
	dir string
	set []nameTo
}

type nameTo struct {
	name string
	node *node
}

// New makes an empty disk of 1 GiB.
func New(seed uint64) *Disk {
	return &Disk{
		random:  rand.New(rand.NewPCG(seed, 0x5eed)),
		names:   map[string]*node{},
		durable: map[string]*node{},
		dirs:    map[string]bool{".": true, "/": true},
		locks:   map[string]*lock{},
		stop:    -1,
		space:   1 << 30,
	}
}

// Hook is called before every operation; its error is the operation's. Nil ends it.
func (d *Disk) Hook(hook func(Op) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hook = hook
}

// FailSync makes every file sync return err (EIO) until it is called with nil.
// What failed to sync stays unsynced.
func (d *Disk) FailSync(err error) {
	if err == nil {
		d.Hook(nil)
		return
	}
	d.Hook(func(op Op) error {
		if op.Verb == "sync" {
			return err
		}
		return nil
	})
}

// SetSpace sets how many bytes files may hold together; beyond it writes and
// reservations that grow a file return ENOSPC.
func (d *Disk) SetSpace(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.space = bytes
}

// StopAfter lets the machine stop after so many more operations. A write in
// that place is cut somewhere in the middle.
func (d *Disk) StopAfter(operations int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stop = operations
}

// Operations counts the operations since New.
func (d *Disk) Operations() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// Kill ends all open files and locks, as kill -9 does: written bytes stay.
func (d *Disk) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.life++
	d.stop = -1
	d.hook = nil
	d.locks = map[string]*lock{}
}

// Crash is a power cut: Kill, and what was not synced is lost or torn.
func (d *Disk) Crash() {
	d.Kill()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, change := range d.pending[:d.random.IntN(len(d.pending)+1)] {
		change.applyTo(d.durable)
	}
	d.pending = nil
	d.names = make(map[string]*node, len(d.durable))
	for _, name := range slices.Sorted(maps.Keys(d.durable)) {
		survivor := d.durable[name].afterCrash(d.random)
		d.durable[name] = survivor
		d.names[name] = survivor
	}
}

// enter counts an operation and decides whether it happens. The caller holds mu.
func (d *Disk) enter(verb, name string) error {
	if d.stop == 0 {
		return fmt.Errorf("%s %s: %w", verb, name, ErrStopped)
	}
	if d.stop > 0 {
		d.stop--
	}
	d.ops++
	if d.hook != nil {
		if err := d.hook(Op{Verb: verb, Name: name}); err != nil {
			return &fs.PathError{Op: verb, Path: name, Err: err}
		}
	}
	return nil
}

func (d *Disk) change(dir string, set ...nameTo) {
	change := nameChange{dir: dir, set: set}
	change.applyTo(d.names)
	d.pending = append(d.pending, change)
}

func (c nameChange) applyTo(names map[string]*node) {
	for _, to := range c.set {
		if to.node == nil {
			delete(names, to.name)
		} else {
			names[to.name] = to.node
		}
	}
}

func (d *Disk) used() (bytes int64) {
	for _, n := range d.names {
		bytes += int64(len(n.live))
	}
	return bytes
}

// Create implements disk.Disk.
func (d *Disk) Create(name string) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name = path.Clean(name)
	if err := d.enter("create", name); err != nil {
		return nil, err
	}
	if !d.dirs[path.Dir(name)] {
		return nil, &fs.PathError{Op: "create", Path: name, Err: syscall.ENOENT}
	}
	if d.names[name] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: syscall.EEXIST}
	}
	made := &node{}
	d.change(path.Dir(name), nameTo{name, made})
	return &file{disk: d, node: made, name: name, life: d.life}, nil
}

// Open implements disk.Disk.
func (d *Disk) Open(name string) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name = path.Clean(name)
	if err := d.enter("open", name); err != nil {
		return nil, err
	}
	found := d.names[name]
	if found == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
	}
	return &file{disk: d, node: found, name: name, life: d.life}, nil
}

// Remove implements disk.Disk.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	name = path.Clean(name)
	if err := d.enter("remove", name); err != nil {
		return err
	}
	if d.names[name] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOENT}
	}
	d.change(path.Dir(name), nameTo{name, nil})
	return nil
}

// Rename implements disk.Disk.
func (d *Disk) Rename(oldName, newName string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	oldName, newName = path.Clean(oldName), path.Clean(newName)
	if err := d.enter("rename", newName); err != nil {
		return err
	}
	moved := d.names[oldName]
	if moved == nil {
		return &fs.PathError{Op: "rename", Path: oldName, Err: syscall.ENOENT}
	}
	d.change(path.Dir(newName), nameTo{oldName, nil}, nameTo{newName, moved})
	return nil
}

// List implements disk.Disk.
func (d *Disk) List(dir string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir = path.Clean(dir)
	if err := d.enter("list", dir); err != nil {
		return nil, err
	}
	var names []string
	for name := range d.names {
		if path.Dir(name) == dir {
			names = append(names, path.Base(name))
		}
	}
	for name := range d.dirs {
		if name != dir && path.Dir(name) == dir {
			names = append(names, path.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// MkdirAll implements disk.Disk. Folders are durable at once.
func (d *Disk) MkdirAll(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir = path.Clean(dir)
	if err := d.enter("mkdir", dir); err != nil {
		return err
	}
	for ; !d.dirs[dir]; dir = path.Dir(dir) {
		d.dirs[dir] = true
	}
	return nil
}

// SyncDir implements disk.Disk.
func (d *Disk) SyncDir(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir = path.Clean(dir)
	if err := d.enter("syncdir", dir); err != nil {
		return err
	}
	var rest []nameChange
	for _, change := range d.pending {
		if change.dir == dir {
			change.applyTo(d.durable)
		} else {
			rest = append(rest, change)
		}
	}
	d.pending = rest
	return nil
}

// Free implements disk.Disk.
func (d *Disk) Free(string) (free, total uint64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return uint64(max(0, d.space-d.used())), uint64(max(0, d.space)), nil
}

// Lock implements disk.Disk.
func (d *Disk) Lock(dir string) (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir = path.Clean(dir)
	if err := d.enter("lock", dir); err != nil {
		return nil, err
	}
	if d.locks[dir] != nil {
		return nil, fmt.Errorf("folder %s is %w", dir, disk.ErrLocked)
	}
	taken := &lock{disk: d, dir: dir}
	d.locks[dir] = taken
	return taken, nil
}

type lock struct {
	disk *Disk
	dir  string
}

func (l *lock) Close() error {
	l.disk.mu.Lock()
	defer l.disk.mu.Unlock()
	if l.disk.locks[l.dir] == l {
		delete(l.disk.locks, l.dir)
	}
	return nil
}

// RemoveAll deletes a folder with all it holds, durably, as an operator would
// who does not know what it is for.
func (d *Disk) RemoveAll(dir string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir = path.Clean(dir)
	for _, names := range []map[string]*node{d.names, d.durable} {
		for name := range names {
			if strings.HasPrefix(name, dir+"/") {
				delete(names, name)
			}
		}
	}
	d.pending = nil
	delete(d.dirs, dir)
}
