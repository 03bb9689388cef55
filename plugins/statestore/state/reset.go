package state

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

// Reset makes the state of a partition (all: -1) empty at record from: what was
// known before is forgotten, and everything from there on is computed again from
// the log. A process that holds the folder is an error. Snapshots in a depot from
// before count no more.
func Reset(d disk.Disk, dir string, partition int, from int64) (reset []int, err error) {
	if from < 0 {
		return nil, errors.New("resetting the state: the record to begin with must not be negative")
	}
	lock, err := d.Lock(dir)
	if err != nil {
		return nil, fmt.Errorf("resetting the state: %w", err)
	}
	err = eachPartition(d, dir, func(number int) error {
		if partition >= 0 && number != partition {
			return nil
		}
		f, err := snapshotFolder(d, dir, number)
		if err != nil {
			return err
		}
		if err := emptyAt(d, dir, f, from); err != nil {
			return fmt.Errorf("resetting the state of partition %d: %w", number, err)
		}
		reset = append(reset, number)
		return nil
	})
	if err == nil && len(reset) == 0 {
		err = fmt.Errorf("resetting the state: %s has no such partition", dir)
	}
	return reset, errors.Join(err, lock.Close())
}

func emptyAt(d disk.Disk, dir string, f *folder, from int64) error {
	names, err := d.List(f.dir)
	if err != nil {
		return err
	}
	for _, name := range slices.Backward(names) {
		if !ours(name) {
			continue
		}
		if err := d.Remove(path.Join(f.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	i := newImage()
	i.position = from
	return writeSnapshot(d, dir, f.who, i, snapshotMarks{epoch: f.manifests[0].Epoch + 1, origin: from})
}
