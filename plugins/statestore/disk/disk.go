// Package disk is the only door from the log and the state to a filesystem, so
// that tests can put another one behind it: one that loses unsynced bytes (a
// power cut), is full, or fails. Components replace and watch their files with
// it too.
package disk

import (
	"io"
	"unsafe"
)

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

// BlockSize is what a write or a read must be a multiple of, in place, length
// and memory (AlignedBuffer), to go straight to the disk.
const BlockSize = 4096

// AlignedBuffer returns an empty buffer with room for n bytes that begins at a block of memory.
func AlignedBuffer(n int) []byte {
	room := make([]byte, n+BlockSize)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(room)))) & (BlockSize - 1)
	return room[skip : skip : skip+n]
}

// File is an open file. Large writes and reads of whole aligned blocks may go
// around the system's page cache; what they mean is the same.
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
