//go:build !linux

package disk

import "os"

func allocate(file *os.File, size int64) error { return extend(file, size) }

func fdatasync(file *os.File) error { return file.Sync() }
