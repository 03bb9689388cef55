package state

import (
	"errors"
	"fmt"
)

// Division shares a state out over more partitions. A key stands in partition
// hash modulo number: with a multiple of the number, all keys of a partition
// were in one partition before, so nothing is ever put together.
type Division struct {
	// PartitionOf is the partition of a record's key among so many.
	PartitionOf func(key string, partitions int) int
	// Tables say by name how a table is divided. One that is not named can only be
	// divided while it is empty.
	Tables map[string]Divider
}

// A Divider drops from a table what would act for records whose keys are not its
// partition's: timers and what they are about. What nobody asks for but such
// records may stay.
type Divider func(t *Table, mine func(key string) bool) error

var (
	errSameLog    = errors.New("a log keeps its number of partitions: more are another log, and --log names it")
	errOtherLanes = errors.New("one of the two logs is an upload log and one a topic, whose partitions have other suites: let the new pipeline read the old uploads instead (input upload_log)")
)

// checkGrowth refuses what cannot be shared out.
func (in *importer) checkGrowth(count, partitions int) error {
	switch {
	case !in.elsewhere:
		return errSameLog
	case partitions < count || partitions%count != 0:
		return fmt.Errorf("the state has %d partitions and the log %d: only a multiple of them can go on with it, since a partition's suites must come from one partition", count, partitions)
	case in.target.Division.PartitionOf == nil:
		return errors.New("nobody says how the keys of this log are spread over its partitions")
	}
	return nil
}

// divide leaves in an image of a predecessor, one of so many, what belongs to the partition.
func (d Division) divide(i *image, who owner, predecessors int) error {
	var strange error
	mine := func(key string) bool {
		// The guard against a state whose keys are not those of the log's records.
		if was := who.Partition % predecessors; strange == nil && d.PartitionOf(key, predecessors) != was {
			strange = fmt.Errorf("records of key %q do not stand in partition %d of %d, where its state is", key, was, predecessors)
		}
		return d.PartitionOf(key, who.Partitions) == who.Partition
	}
	for _, t := range i.list() {
		divider := d.Tables[t.name]
		if divider == nil {
			if t.Len() == 0 && t.timers.due.n == 0 {
				continue
			}
			return fmt.Errorf("table %s cannot be divided: nobody says which records' keys its entries are about (for windows --windows does)", t.name)
		}
		t.open = true
		err := divider(t, mine)
		t.open, t.changes = false, nil
		if err = errors.Join(err, strange, t.misuse); err != nil {
			return fmt.Errorf("dividing table %s: %w", t.name, err)
		}
	}
	return nil
}

// Timers calls yield with every timer, in no order, until it returns false.
func (t *Table) Timers(yield func(id uint64, due int64) bool) {
	t.timers.due.each(func(id, word uint64) bool { return yield(id, int64(cellOf(word))) })
}
