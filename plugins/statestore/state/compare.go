package state

import (
	"bytes"
	"context"
	"fmt"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

// Comparison is what two states of the same log have in common.
type Comparison struct {
	Partition int
	// Next is the record before which both were compared.
	Next    int64
	Entries int
	// Differences name the first entries that differ, at most most of a table; Differing counts all.
	Differences []string
	Differing   int
}

// most is how many differences of a partition are named.
const most = 20

// Compare reads the newest snapshots of a state and those of another one, and
// compares them, partition by partition, at the newest record both can be
// brought to: a state against its replay.
func Compare(ctx context.Context, d disk.Disk, dir, other string) (all []Comparison, err error) {
	err = eachPartition(d, dir, func(number int) error {
		c, err := comparePartition(ctx, d, dir, other, number)
		all = append(all, c)
		return err
	})
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("reading %s: %w", dir, ErrNoState)
	}
	return all, err
}

func comparePartition(ctx context.Context, d disk.Disk, dir, other string, number int) (Comparison, error) {
	c := Comparison{Partition: number}
	bound := int64(noCut)
	for range attempts {
		a, whose, err := load(ctx, d, dir, number, bound)
		if err != nil {
			return c, err
		}
		b, otherWhose, err := load(ctx, d, other, number, a.position)
		if err != nil {
			return c, err
		}
		whose.Pipeline, otherWhose.Pipeline = "", ""
		if whose != otherWhose {
			return c, fmt.Errorf("comparing partition %d: the states belong to other logs: %s of %d partitions, %s of %d",
				number, whose.LogID, whose.Partitions, otherWhose.LogID, otherWhose.Partitions)
		}
		if a.position == b.position {
			c.Next = a.position
			c.images(a, b)
			return c, nil
		}
		bound = b.position
	}
	return c, fmt.Errorf("comparing partition %d: no record to which both states can be brought", number)
}

func (c *Comparison) differ(format string, arguments ...any) {
	if c.Differing++; len(c.Differences) < most {
		c.Differences = append(c.Differences, fmt.Sprintf(format, arguments...))
	}
}

func (c *Comparison) images(a, b *image) {
	tables := map[string]*Table{}
	for _, t := range b.list() {
		tables[t.name] = t
	}
	for _, t := range a.list() {
		other := tables[t.name]
		delete(tables, t.name)
		if other == nil {
			c.differ("table %s is only in the first state", t.name)
			continue
		}
		c.tables(t, other)
	}
	for name := range tables {
		c.differ("table %s is only in the second state", name)
	}
}

func (c *Comparison) tables(a, b *Table) {
	if a.time != b.time {
		c.differ("table %s: time %d, %d", a.name, a.time, b.time)
	}
	a.Range(func(key, cell uint64, value []byte) bool {
		c.Entries++
		word := b.entries.get(key)
		switch {
		case word == 0:
			c.differ("table %s: key %d is only in the first state", a.name, key)
		case value == nil && (!isCell(word) || cellOf(word) != cell):
			c.differ("table %s: key %d has cell %d, another in the second state", a.name, key, cell)
		case value != nil && !bytes.Equal(value, b.Value(key)):
			c.differ("table %s: key %d has %x, in the second state %x", a.name, key, value, b.Value(key))
		}
		return true
	})
	b.Range(func(key, _ uint64, _ []byte) bool {
		if a.entries.get(key) == 0 {
			c.differ("table %s: key %d is only in the second state", a.name, key)
		}
		return true
	})
	a.timers.due.each(func(id, word uint64) bool {
		if b.timers.due.get(id) != word {
			c.differ("table %s: timer %d is due at %d, not so in the second state", a.name, id, cellOf(word))
		}
		return true
	})
	if a.timers.due.n != b.timers.due.n {
		c.differ("table %s: %d timers, %d in the second state", a.name, a.timers.due.n, b.timers.due.n)
	}
}
