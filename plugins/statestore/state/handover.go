package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

// handedOverName is the file that says that a state has gone to another folder.
const handedOverName = "handed-over.json"

// A Handover says to which state a pipeline went over, and where each of its
// partitions stood: the next record, which is the first one of the new owner.
type Handover struct {
	To   string        `json:"to"`
	Next map[int]int64 `json:"next"`
}

// Partitions returns the numbers of the partitions, in order.
func (h Handover) Partitions() []int { return slices.Sorted(maps.Keys(h.Next)) }

// HandOver gives the work of one state to another one of the same log and
// pipeline. Both processes have ended. From then on a process that opens the old
// state is refused, until the work is handed back the same way; the new one
// begins at exactly the record at which the old one stopped, because the group's
// committed offset says so.
func HandOver(d disk.Disk, from, to string) (h Handover, err error) {
	fromLock, err := d.Lock(from)
	if err != nil {
		return h, fmt.Errorf("handing over: drain and stop the process first: %w", err)
	}
	toLock, err := d.Lock(to)
	if err != nil {
		return h, errors.Join(fmt.Errorf("handing over: stop the new process in its shadow group first: %w", err), fromLock.Close())
	}
	h, err = handOver(d, from, to)
	return h, errors.Join(err, toLock.Close(), fromLock.Close())
}

func handOver(d disk.Disk, from, to string) (Handover, error) {
	h := Handover{To: to, Next: map[int]int64{}}
	err := eachPartition(d, from, func(number int) error {
		old, err := snapshotFolder(d, from, number)
		if err != nil {
			return err
		}
		next := old.manifests[0].S + 1
		young, err := snapshotFolder(d, to, number)
		if errors.Is(err, ErrNoState) {
			return fmt.Errorf("handing over partition %d: %w: begin with `state export` and `state import` of the old state", number, err)
		}
		if err != nil {
			return err
		}
		if young.who != old.who {
			return fmt.Errorf("handing over partition %d: %w", number, young.errForeign(to, old.who))
		}
		if !young.reaches(next) {
			return fmt.Errorf("handing over partition %d: the new state cannot be brought to record %d, its oldest base lies beyond it", number, next)
		}
		h.Next[number] = next
		return nil
	})
	if err != nil {
		return h, err
	}
	if len(h.Next) == 0 {
		return h, fmt.Errorf("handing over %s: %w", from, ErrNoState)
	}
	content, err := json.Marshal(h)
	if err != nil {
		return h, fmt.Errorf("handing over: %w", err)
	}
	if err := disk.Replace(d, path.Join(from, handedOverName), content); err != nil {
		return h, fmt.Errorf("handing over: %w", err)
	}
	// Only now may the new one begin: a crash before leaves nobody who works.
	if err := d.Remove(path.Join(to, handedOverName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return h, fmt.Errorf("handing over: %w", err)
	}
	return h, d.SyncDir(to)
}

// reaches reports whether a manifest leads to that record or before it.
func (f *folder) reaches(next int64) bool {
	for _, m := range f.manifests {
		if m.Base == nil || m.Base.Next <= next {
			return true
		}
	}
	return false
}

// errHandedOver is the guard against two versions of a pipeline that both work.
func errHandedOver(d disk.Disk, dir string) error {
	content, err := disk.Read(d, path.Join(dir, handedOverName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var h Handover
	if err == nil {
		err = json.Unmarshal(content, &h)
	}
	if err != nil {
		return fmt.Errorf("opening the state: reading %s: %w", handedOverName, err)
	}
	return fmt.Errorf("opening the state: %s was handed over to %s; `connect-testengine state handover %s %s` takes it back", dir, h.To, h.To, dir)
}
