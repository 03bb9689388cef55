package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

// A Snapshot is what one partition's newest manifest names. A running process may
// hold the folder: snapshots are read without its lock, and changed by nobody.
type Snapshot struct {
	Partition, Partitions int
	Pipeline, LogID       string
	// Next is the first record that the state does not contain, Time is T there.
	Next, Time int64
	// Base is the first record that the base does not contain, -1 without a base.
	Base int64
	// Bytes is the length of the base and the segments.
	Bytes            int64
	Segments         int
	Manifests        int
	Tables           []TableSnapshot
	ReachedByOffsets []int64 // next records of all manifests, newest first
}

// TableSnapshot is a table as a manifest names it.
type TableSnapshot struct {
	Name, Logic string
}

// ErrNoState says that a folder holds no snapshot.
var ErrNoState = errors.New("it holds no snapshot of a state")

// attempts is how often a snapshot is read again that a running process replaced meanwhile.
const attempts = 5

// Snapshots lists the partitions of a state's folder.
func Snapshots(d disk.Disk, dir string) (all []Snapshot, err error) {
	err = eachPartition(d, dir, func(number int) error {
		f, err := snapshotFolder(d, dir, number)
		if errors.Is(err, ErrNoState) {
			return nil
		}
		if err != nil {
			return err
		}
		all = append(all, f.snapshot())
		return nil
	})
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("reading %s: %w", dir, ErrNoState)
	}
	return all, err
}

// CheckWhole is the guard against a folder that has only a part of a state, as one
// process of a fleet has: what the others know would be forgotten without a word.
// stands is the next record of each partition, where that is known.
func CheckWhole(d disk.Disk, dir string, stands map[int]int64) error {
	all, err := Snapshots(d, dir)
	if err != nil {
		return err
	}
	if have, should := len(all), all[0].Partitions; have < should {
		return fmt.Errorf("%s has %d of %d partitions, the others are with other processes: let one process have all of them, until `state list` shows them here", dir, have, should)
	}
	for _, s := range all {
		if stand, known := stands[s.Partition]; known && s.Next != stand {
			return fmt.Errorf("partition %d stands at record %d in %s and at %d in the group: let one process have all partitions, and stop it", s.Partition, s.Next, dir, stand)
		}
	}
	return nil
}

func (f *folder) snapshot() Snapshot {
	m := f.manifests[0]
	s := Snapshot{
		Partition: f.who.Partition, Partitions: f.who.Partitions, Pipeline: f.who.Pipeline, LogID: f.who.LogID,
		Next: m.S + 1, Time: m.Time, Base: -1, Segments: len(m.Segments), Manifests: len(f.manifests),
	}
	if m.Base != nil {
		s.Base, s.Bytes = m.Base.Next, m.Base.Bytes
	}
	for _, segment := range m.Segments {
		s.Bytes += segment.Bytes
	}
	for _, t := range m.Tables {
		s.Tables = append(s.Tables, TableSnapshot{Name: t.Name, Logic: t.Logic})
	}
	for _, m := range f.manifests {
		s.ReachedByOffsets = append(s.ReachedByOffsets, m.S+1)
	}
	return s
}

func eachPartition(d disk.Disk, dir string, do func(number int) error) error {
	names, err := d.List(dir)
	if err != nil {
		return fmt.Errorf("reading %s: %w", dir, err)
	}
	for _, name := range names {
		number, err := strconv.Atoi(name)
		if err != nil || len(name) != partitionDigits {
			continue
		}
		if err := do(number); err != nil {
			return err
		}
	}
	return nil
}

// snapshotFolder reads the manifests of a partition, which say whose it is.
func snapshotFolder(d disk.Disk, dir string, number int) (*folder, error) {
	f := &folder{disk: d, dir: path.Join(dir, remoteFolder(number)), warn: func(string) {}}
	names, err := d.List(f.dir)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.dir, err)
	}
	for _, name := range slices.Backward(names) {
		if _, ok := numberOf(name, manifestPrefix, manifestSuffix); !ok {
			continue
		}
		m, err := readManifest(d, path.Join(f.dir, name))
		if errors.Is(err, errManifest) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(f.manifests) > 0 && m.owner != f.who {
			return nil, f.errForeign(name, m.owner)
		}
		f.who = m.owner
		f.manifests = append(f.manifests, m)
	}
	if len(f.manifests) == 0 {
		return nil, fmt.Errorf("reading %s: %w", f.dir, ErrNoState)
	}
	return f, nil
}

// load reads the newest snapshot of a partition that is not beyond bound.
func load(ctx context.Context, d disk.Disk, dir string, number int, bound int64) (i *image, who owner, err error) {
	for range attempts {
		i, who, err = loadOnce(ctx, d, dir, number, bound)
		if !isRot(err) {
			return i, who, err
		}
	}
	return nil, who, err
}

func loadOnce(ctx context.Context, d disk.Disk, dir string, number int, bound int64) (*image, owner, error) {
	f, err := snapshotFolder(d, dir, number)
	if err != nil {
		return nil, owner{}, err
	}
	manifests := f.manifests
	if err := f.scan(); err != nil {
		return nil, f.who, err
	}
	for _, m := range manifests {
		if m.Base != nil && m.Base.Next > bound {
			continue
		}
		got, err := f.read(ctx, m, min(bound, m.S+1))
		if err != nil {
			return nil, f.who, err
		}
		if got != nil {
			return got.image, f.who, nil
		}
	}
	return nil, f.who, fmt.Errorf("reading %s: %w at or before record %d", f.dir, ErrNoState, bound)
}
