package disk

import (
	"errors"
	"os"
	"strconv"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// directLeast is from where on a stretch goes around the page cache: below it
// the cache's copy costs less than the wait for the disk.
const directLeast = 64 << 10

// directFile is the same file opened a second time with O_DIRECT. First writes
// to reserved blocks are several times faster through it than through the page
// cache, and cost less CPU. A filesystem that cannot do it is asked once.
type directFile struct {
	file    atomic.Pointer[os.File]
	refused atomic.Bool
}

func aligned(p []byte, off int64) bool {
	return len(p) >= directLeast && (int64(len(p))|off|int64(uintptr(unsafe.Pointer(unsafe.SliceData(p)))))&(BlockSize-1) == 0
}

// writeAt writes around the page cache. Where that is not possible, done is false
// and nothing was written: the caller writes through it.
func (d *directFile) writeAt(like *os.File, p []byte, off int64) (n int, err error, done bool) {
	file := d.open(like, p, off)
	if file == nil {
		return 0, nil, false
	}
	n, err = file.WriteAt(p, off)
	if errors.Is(err, unix.EINVAL) {
		d.refused.Store(true)
		return 0, nil, false
	}
	return n, err, true
}

// readAt reads around the page cache. Unless it read everything, done is false and
// the caller reads through it.
func (d *directFile) readAt(like *os.File, p []byte, off int64) (n int, done bool) {
	file := d.open(like, p, off)
	if file == nil {
		return 0, false
	}
	n, err := file.ReadAt(p, off)
	return n, err == nil
}

func (d *directFile) open(like *os.File, p []byte, off int64) *os.File {
	if !aligned(p, off) || d.refused.Load() {
		return nil
	}
	if file := d.file.Load(); file != nil {
		return file
	}
	// By descriptor: the name may be another file's by now.
	file, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(int(like.Fd())), os.O_RDWR|unix.O_DIRECT, 0)
	if err != nil {
		d.refused.Store(true)
		return nil
	}
	if !d.file.CompareAndSwap(nil, file) {
		_ = file.Close()
	}
	return d.file.Load()
}

func (d *directFile) close() error {
	if file := d.file.Swap(nil); file != nil {
		return file.Close()
	}
	return nil
}
