package state

import (
	"context"
	"errors"
	"fmt"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// errInhabited is the guard against a state that is put beside another one.
var errInhabited = errors.New("it holds a state already: give it another folder, or another prefix of the bucket")

// Publish uploads the newest snapshots of a folder, which no process has open, to a
// depot that is empty. Whoever gets a partition begins with them, on any node.
func Publish(ctx context.Context, d disk.Disk, dir string, options Options) error {
	all, err := Snapshots(d, dir)
	if err != nil {
		return err
	}
	log := testengine.LogIdentity{ID: all[0].LogID, Partitions: all[0].Partitions}
	empty, err := DepotIsEmpty(ctx, options.Depot, log.Partitions)
	if err == nil && !empty {
		err = errInhabited
	}
	if err != nil {
		return fmt.Errorf("publishing a state: %w", err)
	}
	options.Dir, options.Pipeline = dir, all[0].Pipeline
	s, err := Open(d, options)
	if err != nil {
		return fmt.Errorf("publishing a state: %w", err)
	}
	for _, one := range all {
		if _, err := s.Restore(ctx, log, one.Partition, 0, one.Next); err != nil {
			return errors.Join(fmt.Errorf("publishing a state: %w", err), s.Close(ctx))
		}
	}
	return errors.Join(s.Upload(ctx), s.Close(ctx))
}
