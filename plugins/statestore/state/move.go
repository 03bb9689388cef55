package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// DepotIsEmpty reports whether a depot has nothing of a log's partitions.
func DepotIsEmpty(ctx context.Context, depot Depot, partitions int) (bool, error) {
	for partition := range partitions {
		names, err := depot.List(ctx, remoteFolder(partition))
		if err != nil {
			return false, fmt.Errorf("asking the depot: %w", err)
		}
		if len(remoteNumbers(names)) > 0 {
			return false, nil
		}
	}
	return true, nil
}

// FolderIsEmpty reports whether a folder has no state; one that is missing has none.
func FolderIsEmpty(d disk.Disk, dir string) (bool, error) {
	_, err := Snapshots(d, dir)
	if errors.Is(err, ErrNoState) || errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return false, err
}

// Bring brings every partition of the state to the newest record that is not
// beyond the one it is to reach, out of its folder and its depot, and returns
// where each stands. A partition of which there is nothing stands at 0.
func (s *Store) Bring(ctx context.Context, log testengine.LogIdentity, reach map[int]int64) (stands map[int]int64, err error) {
	stands = make(map[int]int64)
	for partition := range log.Partitions {
		if stands[partition], err = s.Restore(ctx, log, partition, 0, reach[partition]); err != nil {
			return nil, err
		}
	}
	return stands, nil
}

// Reaches says for each partition whether a state's folder can be brought to a
// record: the error names the first one that cannot. A partition without state
// can be, by whoever has its log from its beginning.
func Reaches(d disk.Disk, dir string, log testengine.LogIdentity, reach, begins map[int]int64) error {
	for partition := range log.Partitions {
		f, err := snapshotFolder(d, dir, partition)
		switch {
		case errors.Is(err, ErrNoState) || errors.Is(err, fs.ErrNotExist):
			if begins[partition] > 0 {
				return fmt.Errorf("the state in %s has nothing of partition %d, whose log begins at %d", dir, partition, begins[partition])
			}
			continue
		case err != nil:
			return err
		case f.who.LogID != log.ID || f.who.Partitions != log.Partitions:
			return fmt.Errorf("the state in %s belongs to log %s with %d partitions, not to %s with %d", dir, f.who.LogID, f.who.Partitions, log.ID, log.Partitions)
		case !f.reaches(reach[partition]):
			return fmt.Errorf("the state of partition %d in %s cannot be brought to record %d, its oldest base lies beyond it", partition, dir, reach[partition])
		}
	}
	return nil
}
