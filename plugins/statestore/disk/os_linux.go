package disk

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// allocate reserves blocks. A filesystem that cannot (NFS, some overlays) only
// gets the size: there a full disk shows at a write, which the callers survive too.
func allocate(file *os.File, size int64) error {
	err := retryInterrupted(func() error { return unix.Fallocate(int(file.Fd()), 0, 0, size) })
	if !errors.Is(err, unix.EOPNOTSUPP) {
		return err
	}
	return extend(file, size)
}

func fdatasync(file *os.File) error {
	err := retryInterrupted(func() error { return unix.Fdatasync(int(file.Fd())) })
	if err != nil {
		return fmt.Errorf("syncing %s: %w", file.Name(), err)
	}
	return nil
}

func retryInterrupted(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
