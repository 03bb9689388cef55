package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrLocked says that another process, or another part of this one, holds the folder.
var ErrLocked = errors.New("in use by another process")

// lockName is the file in a folder that carries the lock. Its content means nothing.
const lockName = "lock"

// OS is the operating system's filesystem.
func OS() Disk { return osDisk{} }

type osDisk struct{}

func (osDisk) Create(name string) (File, error) {
	return openOS(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

func (osDisk) Open(name string) (File, error) { return openOS(name, os.O_RDWR) }

func (osDisk) Remove(name string) error { return os.Remove(name) }

func (osDisk) Rename(oldName, newName string) error { return os.Rename(oldName, newName) }

func (osDisk) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, nil // os.ReadDir has sorted them.
}

func (osDisk) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o750) }

func (osDisk) SyncDir(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func (osDisk) Free(dir string) (free, total uint64, err error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return 0, 0, fmt.Errorf("asking for the free space of %s: %w", dir, err)
	}
	size := uint64(stat.Bsize)
	return stat.Bavail * size, stat.Blocks * size, nil
}

func (osDisk) Lock(dir string) (io.Closer, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking folder %s: %w", dir, err)
	}
	if err := flock(file); err != nil {
		_ = file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("folder %s is %w", dir, ErrLocked)
		}
		return nil, fmt.Errorf("locking folder %s: %w", dir, err)
	}
	return file, nil
}

// flock keeps a second process out of the folder. The kernel lets go of it when
// the process ends, however it ends.
func flock(file *os.File) error {
	return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}

// osFile is a file; whole aligned blocks go around the page cache.
type osFile struct {
	*os.File
	direct directFile
}

func openOS(name string, flags int) (File, error) {
	file, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return &osFile{File: file}, nil
}

func (f *osFile) WriteAt(p []byte, off int64) (int, error) {
	if n, err, ok := f.direct.writeAt(f.File, p, off); ok {
		return n, err
	}
	return f.File.WriteAt(p, off)
}

func (f *osFile) ReadAt(p []byte, off int64) (int, error) {
	if n, ok := f.direct.readAt(f.File, p, off); ok {
		return n, nil
	}
	return f.File.ReadAt(p, off)
}

func (f *osFile) Close() error { return errors.Join(f.direct.close(), f.File.Close()) }

func (f *osFile) Allocate(size int64) error {
	if err := allocate(f.File, size); err != nil {
		return fmt.Errorf("reserving %d bytes for %s: %w", size, f.Name(), err)
	}
	return nil
}

func (f *osFile) Sync() error { return fdatasync(f.File) }

func (f *osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
