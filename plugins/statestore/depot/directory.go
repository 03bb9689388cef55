// Package depot keeps files for all nodes in a directory that they share.
package depot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
)

const (
	chunkBytes      = 1 << 20
	temporarySuffix = ".tmp"
)

// Directory is a state.Depot in a folder of a disk. It needs an exclusive create,
// which every local filesystem and NFS 3 or later has.
type Directory struct {
	disk disk.Disk
	root string
}

var _ state.Depot = (*Directory)(nil)

// NewDirectory keeps files below root, which is made when it does not exist.
func NewDirectory(d disk.Disk, root string) (*Directory, error) {
	if err := d.MkdirAll(root); err != nil {
		return nil, fmt.Errorf("making the depot %s: %w", root, err)
	}
	return &Directory{disk: d, root: root}, nil
}

// Put implements state.Depot. The name appears when the file is whole and synced.
func (s *Directory) Put(ctx context.Context, name string, content io.ReaderAt, size int64) error {
	full := path.Join(s.root, name)
	if err := s.disk.MkdirAll(path.Dir(full)); err != nil {
		return fmt.Errorf("storing %s: %w", name, err)
	}
	file, err := s.disk.Create(full + temporarySuffix)
	if err != nil {
		return fmt.Errorf("storing %s: %w", name, err)
	}
	_, err = copyFile(ctx, file, io.NewSectionReader(content, 0, size))
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("storing %s: %w", name, err)
	}
	if err := s.disk.Rename(full+temporarySuffix, full); err != nil {
		return fmt.Errorf("storing %s: %w", name, err)
	}
	return s.syncDirs(full)
}

// PutNew implements state.Depot. A crash in between leaves a torn file, whose
// name is then taken for good.
func (s *Directory) PutNew(_ context.Context, name string, content []byte) error {
	full := path.Join(s.root, name)
	if err := s.disk.MkdirAll(path.Dir(full)); err != nil {
		return fmt.Errorf("storing %s: %w", name, err)
	}
	file, err := s.disk.Create(full)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("storing %s: %w", name, state.ErrTaken)
	}
	if err != nil {
		return fmt.Errorf("storing %s: %w", name, err)
	}
	_, err = file.WriteAt(content, 0)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("storing %s: %w", name, err)
	}
	return s.syncDirs(full)
}

func (s *Directory) syncDirs(full string) error {
	return errors.Join(s.disk.SyncDir(path.Dir(full)), s.disk.SyncDir(s.root))
}

// Get implements state.Depot.
func (s *Directory) Get(ctx context.Context, name string, to io.WriterAt) (int64, error) {
	file, err := s.disk.Open(path.Join(s.root, name))
	if err != nil {
		return 0, fmt.Errorf("fetching %s: %w", name, err)
	}
	defer file.Close() //nolint:errcheck // only read
	size, err := file.Size()
	if err != nil {
		return 0, fmt.Errorf("fetching %s: %w", name, err)
	}
	if size, err = copyFile(ctx, to, io.NewSectionReader(file, 0, size)); err != nil {
		return size, fmt.Errorf("fetching %s: %w", name, err)
	}
	return size, nil
}

func copyFile(ctx context.Context, to io.WriterAt, from io.Reader) (size int64, err error) {
	chunk := make([]byte, chunkBytes)
	for {
		if err := ctx.Err(); err != nil {
			return size, err
		}
		n, err := io.ReadFull(from, chunk)
		if _, failed := to.WriteAt(chunk[:n], size); failed != nil {
			return size, failed
		}
		size += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return size, nil
		}
		if err != nil {
			return size, err
		}
	}
}

// List implements state.Depot.
func (s *Directory) List(_ context.Context, folder string) ([]string, error) {
	names, err := s.disk.List(path.Join(s.root, folder))
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", folder, err)
	}
	return names, nil
}

// Delete implements state.Depot.
func (s *Directory) Delete(_ context.Context, name string) error {
	if err := s.disk.Remove(path.Join(s.root, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing %s: %w", name, err)
	}
	return nil
}
