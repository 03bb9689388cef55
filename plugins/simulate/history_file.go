package simulate

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// openHistory opens a file, "-" being the standard input, and unpacks it when
// its first bytes say that it is packed.
func openHistory(path string) (io.ReadCloser, error) {
	file := io.NopCloser(os.Stdin)
	if path != "-" {
		opened, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		file = opened
	}
	in := bufio.NewReaderSize(file, 256<<10)
	start, err := in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("reading %s: %w", path, err), file.Close())
	}
	var out io.Reader = in
	switch {
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}):
		if out, err = gzip.NewReader(in); err != nil {
			return nil, errors.Join(fmt.Errorf("unpacking %s: %w", path, err), file.Close())
		}
	case bytes.HasPrefix(start, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		unpacked, err := zstd.NewReader(in)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("unpacking %s: %w", path, err), file.Close())
		}
		return &historyFile{unpacked, func() error { unpacked.Close(); return file.Close() }}, nil
	}
	return &historyFile{out, file.Close}, nil
}

// historyFile reads the unpacked bytes and closes what they come from.
type historyFile struct {
	io.Reader
	close func() error
}

// Close closes the file.
func (f *historyFile) Close() error { return f.close() }
