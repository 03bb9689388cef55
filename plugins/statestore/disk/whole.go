package disk

import (
	"errors"
	"io"
	"io/fs"
	"path"
)

// TemporarySuffix ends the name under which Replace writes. What a crash left
// under such a name is nothing to anybody and may be removed.
const TemporarySuffix = ".tmp"

// Replace gives a small file a new content, durable when it returns. Whatever
// happens on the way, Read finds the old content or the new one.
func Replace(d Disk, name string, content []byte) error {
	temporary := name + TemporarySuffix
	if err := d.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := d.Create(temporary)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(content, 0)
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := d.Rename(temporary, name); err != nil {
		return err
	}
	return d.SyncDir(path.Dir(name))
}

// Read returns a small file as a whole.
func Read(d Disk, name string) ([]byte, error) {
	file, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // It was only read.
	size, err := file.Size()
	if err != nil {
		return nil, err
	}
	content := make([]byte, size)
	if n, err := file.ReadAt(content, 0); err != nil && (n < len(content) || !errors.Is(err, io.EOF)) {
		return nil, err
	}
	return content, nil
}
