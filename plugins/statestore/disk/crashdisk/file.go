package crashdisk

import (
	"io"
	"io/fs"
	"math/rand/v2"
	"syscall"
)

// sector is what a disk writes whole or not at all.
const sector = 512

// node is a file's content: as processes see it, as it is safe, and what lies between.
type node struct {
	live     []byte
	safe     []byte
	unsynced []change
}

// change is a write, or (data nil) a new size.
type change struct {
	at   int64
	data []byte
}

func (c change) applyTo(content []byte) []byte {
	if c.data == nil {
		return resize(content, c.at)
	}
	if end := c.at + int64(len(c.data)); int64(len(content)) < end {
		content = resize(content, end)
	}
	copy(content[c.at:], c.data)
	return content
}

func resize(content []byte, size int64) []byte {
	if size <= int64(len(content)) {
		return content[:size]
	}
	return append(content, make([]byte, size-int64(len(content)))...)
}

func (n *node) do(c change) {
	n.live = c.applyTo(n.live)
	n.unsynced = append(n.unsynced, c)
}

func (n *node) sync() {
	for _, c := range n.unsynced {
		n.safe = c.applyTo(n.safe)
	}
	n.unsynced = nil
}

// afterCrash keeps a random choice of the sectors not synced: none, all, or any between.
func (n *node) afterCrash(random *rand.Rand) *node {
	kept := random.IntN(5) // of 4
	content := append([]byte(nil), n.safe...)
	for _, c := range n.unsynced {
		if c.data == nil {
			if random.IntN(4) < kept {
				content = c.applyTo(content)
			}
			continue
		}
		for from := int64(0); from < int64(len(c.data)); {
			until := min(int64(len(c.data)), from+sector-(c.at+from)%sector)
			if random.IntN(4) < kept {
				content = change{at: c.at + from, data: c.data[from:until]}.applyTo(content)
			}
			from = until
		}
	}
	return &node{live: append([]byte(nil), content...), safe: content}
}

type file struct {
	disk *Disk
	node *node
	name string
	life int
	shut bool
}

func (f *file) enter(verb string) error {
	if f.shut || f.life != f.disk.life {
		return &fs.PathError{Op: verb, Path: f.name, Err: fs.ErrClosed}
	}
	return f.disk.enter(verb, f.name)
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.enter("read"); err != nil {
		return 0, err
	}
	if off >= int64(len(f.node.live)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.live[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	last := f.disk.stop == 1
	if err := f.enter("write"); err != nil {
		return 0, err
	}
	fits := min(int64(len(p)), max(0, f.room()+int64(len(f.node.live))-off))
	if last {
		fits = min(fits, f.disk.random.Int64N(int64(len(p))+1))
	}
	if fits > 0 {
		f.node.do(change{at: off, data: append([]byte(nil), p[:fits]...)})
	}
	if last {
		return int(fits), &fs.PathError{Op: "write", Path: f.name, Err: ErrStopped}
	}
	if fits < int64(len(p)) {
		return int(fits), &fs.PathError{Op: "write", Path: f.name, Err: syscall.ENOSPC}
	}
	return len(p), nil
}

func (f *file) room() int64 { return f.disk.space - f.disk.used() }

func (f *file) Allocate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.enter("allocate"); err != nil {
		return err
	}
	grows := size - int64(len(f.node.live))
	if grows <= 0 {
		return nil
	}
	if grows > f.room() {
		return &fs.PathError{Op: "allocate", Path: f.name, Err: syscall.ENOSPC}
	}
	f.node.do(change{at: size})
	return nil
}

func (f *file) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.enter("truncate"); err != nil {
		return err
	}
	f.node.do(change{at: size})
	return nil
}

func (f *file) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.enter("sync"); err != nil {
		return err
	}
	f.node.sync()
	return nil
}

func (f *file) Size() (int64, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.enter("size"); err != nil {
		return 0, err
	}
	return int64(len(f.node.live)), nil
}

func (f *file) Close() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.shut {
		return fs.ErrClosed
	}
	f.shut = true
	return nil
}
