package disk

import "os"

// extend grows a file to size without reserving its blocks; it never shrinks it.
func extend(file *os.File, size int64) error {
	info, err := file.Stat()
	if err != nil || info.Size() >= size {
		return err
	}
	return file.Truncate(size)
}
