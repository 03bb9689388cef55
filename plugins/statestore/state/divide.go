package state

import (
	"errors"
	"fmt"
)

// Division shares a state out over more partitions. A suite stands in partition
// hash modulo number: with a multiple of the number, all suites of a partition
// were in one partition before, so nothing is ever put together.
type Division struct {
	// PartitionOf is the partition of a suite among so many.
	PartitionOf func(org, suite string, partitions int) int
	// Tables say by name how a table is divided. One that is not named can only be
	// divided while it is empty.
	Tables map[string]Divider
}

// A Divider drops from a table what would act for suites that are not its
// partition's: timers and what they are about. What nobody asks for but its
// suite may stay.
type Divider func(t *Table, mine func(org, suite string) bool)

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
		return errors.New("nobody says how the suites of this log are spread over its partitions")
	}
	return nil
}

// divide leaves in an image of a predecessor what belongs to the partition.
func (d Division) divide(i *image, who owner) error {
	mine := func(org, suite string) bool { return d.PartitionOf(org, suite, who.Partitions) == who.Partition }
	for _, t := range i.list() {
		divider := d.Tables[t.name]
		if divider == nil {
			if t.Len() == 0 && t.timers.due.n == 0 {
				continue
			}
			return fmt.Errorf("table %s cannot be divided: its entries do not say which suites they come from; windows over all partitions begin anew, in a pipeline and a state of their own", t.name)
		}
		t.open = true
		divider(t, mine)
		t.open, t.changes = false, nil
		if t.misuse != nil {
			return fmt.Errorf("dividing table %s: %w", t.name, t.misuse)
		}
	}
	return nil
}

// Timers calls yield with every timer, in no order, until it returns false.
func (t *Table) Timers(yield func(id uint64, due int64) bool) {
	t.timers.due.each(func(id, word uint64) bool { return yield(id, int64(cellOf(word))) })
}
