package disk

import (
	"os"
	"time"
)

// Stamp tells one state of a file from the next: equal stamps, the same file.
// The zero stamp is of a file that was never looked at.
type Stamp struct {
	modified time.Time
	size     int64
	missing  bool
}

// StampOf looks at a file of the operating system. One that cannot be looked at is missing.
func StampOf(name string) Stamp {
	info, err := os.Stat(name)
	if err != nil {
		return Stamp{missing: true}
	}
	return Stamp{modified: info.ModTime(), size: info.Size()}
}

// Empty says that the file is missing, or has nothing in it.
func (s Stamp) Empty() bool { return s.size == 0 }
