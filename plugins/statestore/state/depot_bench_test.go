package state

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func testLogOf(partitions int) testengine.LogIdentity {
	return testengine.LogIdentity{ID: "log-a", Partitions: partitions}
}

// benchDepot is a folder as a depot; package depot has the real one.
type benchDepot string

func (d benchDepot) Put(_ context.Context, name string, content io.ReaderAt, size int64) error {
	full := filepath.Join(string(d), name)
	if err := os.MkdirAll(filepath.Dir(full), 0o750); err != nil {
		return err
	}
	file, err := os.Create(full)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, io.NewSectionReader(content, 0, size))
	return errors.Join(err, file.Close())
}

func (d benchDepot) PutNew(_ context.Context, name string, content []byte) error {
	return os.WriteFile(filepath.Join(string(d), name), content, 0o600)
}

func (d benchDepot) Get(_ context.Context, name string, to io.WriterAt) (int64, error) {
	file, err := os.Open(filepath.Join(string(d), name))
	if err != nil {
		return 0, err
	}
	defer file.Close() //nolint:errcheck // only read
	return io.CopyBuffer(struct{ io.Writer }{io.NewOffsetWriter(to, 0)}, struct{ io.Reader }{file}, make([]byte, 1<<20))
}

func (d benchDepot) List(_ context.Context, folder string) (names []string, err error) {
	entries, err := os.ReadDir(filepath.Join(string(d), folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, err
}

func (d benchDepot) Delete(_ context.Context, name string) error {
	return os.Remove(filepath.Join(string(d), name))
}
