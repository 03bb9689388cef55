package state

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// A partition is the tables of one partition of the log and their delta stream.
type partition struct {
	store   *Store
	number  int
	durable bool
	// ready is closed when the partition has been restored for the first time.
	ready chan struct{}
	// failed is why the partition cannot go on until it is restored.
	failed atomic.Pointer[error]

	mutex  sync.Mutex
	tables []*Table
	start  int64 // where the last restore left the partition
}

const maxTables = 255

func newPartition(s *Store, number int) *partition {
	p := &partition{store: s, number: number, durable: !s.options.InMemory, ready: make(chan struct{})}
	if s.options.InMemory {
		close(p.ready)
	}
	return p
}

func (p *partition) failure() error {
	if err := p.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// claim gives a processor its table. A table that the partition does not have
// can only be made while the partition stands at the log's beginning.
func (p *partition) claim(name, logic string) (*Table, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, t := range p.tables {
		if t.name == name {
			t.logic, t.claimed = logic, true
			return t, nil
		}
	}
	if p.start > 0 {
		return nil, fmt.Errorf("table %s has no state, but partition %d stands at %d: a stateful processor was added to a running pipeline; "+
			"run `connect-testengine state reset --from OFFSET` to compute its state from the log", name, p.number, p.start)
	}
	if len(p.tables) == maxTables {
		return nil, fmt.Errorf("making table %s: a partition holds at most %d tables", name, maxTables)
	}
	t := newTable(p, uint8(len(p.tables)), name) //nolint:gosec // bounded by maxTables
	t.logic, t.claimed = logic, true
	p.tables = append(p.tables, t)
	return t, nil
}

// append takes the record that t has just closed.
func (p *partition) append(_ *Table) error { return nil }
