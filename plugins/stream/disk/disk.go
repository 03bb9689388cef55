// Package disk is the only door from the log and the state to a filesystem, so
// that tests can put another one behind it: one that loses unsynced bytes (a
// power cut), is full, or fails.
package disk

import "io"

// Disk is a filesystem. Names are paths with "/"; errors wrap fs.ErrNotExist,
// fs.ErrExist and syscall errors (ENOSPC, EIO) as the operating system gives them.
type Disk interface {
	// Create makes a new file and fails if the name exists.
	Create(name string) (File, error)
	// Open opens an existing file for reading and writing.
	Open(name string) (File, error)
	Remove(name string) error
	// Rename replaces the new name if it exists. Durable after SyncDir.
	Rename(oldName, newName string) error
	// List returns the names in a folder, sorted; a missing folder is empty.
	List(dir string) ([]string, error)
	MkdirAll(dir string) error
	// SyncDir makes creations, renames and removals in the folder durable.
	SyncDir(dir string) error
	// Free returns the free and the total bytes of the folder's filesystem.
	Free(dir string) (free, total uint64, err error)
	// Lock takes the folder for this process (flock); another holder is an error
	// that names the folder. Closing releases it.
	Lock(dir string) (io.Closer, error)
}

// File is an open file.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Allocate reserves space up to size bytes, so that later writes cannot fail for want of it.
	Allocate(size int64) error
	Truncate(size int64) error
	// Sync makes the file's bytes durable (fdatasync).
	Sync() error
	Size() (int64, error)
}
