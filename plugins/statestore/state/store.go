package state

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Store is the state of all stateful processors of a pipeline, by partition. It
// is a Provider for them and a testengine.LogFollower for the log.
type Store struct {
	disk    disk.Disk
	options Options
	lock    io.Closer
	closed  sync.Once
	// merging is held by the one partition that merges its base.
	merging sync.Mutex
	woken   chan *partition

	mutex      sync.Mutex
	partitions map[int]*partition
}

var (
	_ Provider               = (*Store)(nil)
	_ testengine.LogFollower = (*Store)(nil)
	_ testengine.CycleGuard  = (*Store)(nil)
	_ testengine.Failer      = (*Store)(nil)
)

// Open takes the folder for this process. Files are read when the log asks for
// a partition (Restore).
func Open(d disk.Disk, o Options) (*Store, error) {
	s := newStore(d, o)
	if o.InMemory {
		return s, nil
	}
	if err := d.MkdirAll(o.Dir); err != nil {
		return nil, fmt.Errorf("making the state's folder: %w", err)
	}
	lock, err := d.Lock(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("opening the state: %w", err)
	}
	if err := errHandedOver(d, o.Dir); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s.lock = lock
	return s, nil
}

func newStore(d disk.Disk, o Options) *Store {
	return &Store{disk: d, options: o.withDefaults(), partitions: map[int]*partition{}, woken: make(chan *partition, 1)}
}

func (s *Store) partition(number int) *partition {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	p := s.partitions[number]
	if p == nil {
		p = newPartition(s, number)
		s.partitions[number] = p
	}
	return p
}

func (s *Store) all() (all []*partition) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, p := range s.partitions {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *partition) int { return a.number - b.number })
	return all
}

// Table implements Provider.
func (s *Store) Table(ctx context.Context, name string, partition int, logic string) (*Table, error) {
	p := s.partition(partition)
	select {
	case <-p.ready:
		return p.claim(name, logic)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Restore implements testengine.LogFollower. It can be called again, to roll
// back or after a failure, while no batch of the partition is in flight.
func (s *Store) Restore(ctx context.Context, log testengine.LogIdentity, partition int, begin, cursor int64) (int64, error) {
	return s.partition(partition).restore(ctx, log, begin, cursor)
}

// RollBack takes the partition back to a position at or before to: what a batch
// that was not committed has changed is thrown away. It returns the next record
// to deliver.
func (s *Store) RollBack(ctx context.Context, partition int, to int64) (int64, error) {
	p := s.partition(partition)
	p.files.Lock()
	folder, begin := p.folder, p.begin
	p.files.Unlock()
	if folder == nil {
		return p.restore(ctx, testengine.LogIdentity{}, begin, to)
	}
	return p.restore(ctx, folder.who.log(), begin, to)
}

// NextDue implements testengine.LogFollower.
func (s *Store) NextDue(partition int) (unixMilli int64, ok bool) {
	return s.partition(partition).nextDue()
}

var _ testengine.Timekeeper = (*Store)(nil)

// Time implements testengine.Timekeeper.
func (s *Store) Time(partition int) (unixMilli int64) {
	p := s.partition(partition)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, t := range p.tables {
		unixMilli = max(unixMilli, t.time)
	}
	return unixMilli
}

// Logic names what the partition's tables are computed with; commits carry it.
func (s *Store) Logic(partition int) string {
	p := s.partition(partition)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	var all []string
	for _, t := range p.tables {
		if t.told {
			all = append(all, t.name+"="+t.logic)
		}
	}
	return strings.Join(all, " ")
}

// Synced implements testengine.LogFollower.
func (s *Store) Synced(partition int) int64 {
	p := s.partition(partition)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.synced
}

var _ testengine.Passer = (*Store)(nil)

// Passed implements testengine.Passer.
func (s *Store) Passed(partition int, next int64) { s.partition(partition).pass(next) }

// Acked implements testengine.LogFollower. It is called between batches of the
// partition, never while one is in flight that was not Passed.
func (s *Store) Acked(partition int, next int64) { s.partition(partition).mark(next) }

// Failed implements testengine.Failer.
func (s *Store) Failed(partition int) error { return s.partition(partition).failure() }

// OpenCycle implements testengine.CycleGuard.
func (s *Store) OpenCycle(partition int, number int64) { s.partition(partition).cycle.Store(number) }

// Run makes snapshots at every tick until the context ends. It keeps one
// partition's failure from the others and tells it to warn.
func (s *Store) Run(ctx context.Context, ticks <-chan time.Time) {
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case p := <-s.woken:
			err = p.syncSealed()
		case <-ticks:
			err = s.Snapshot(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.options.Warn(err.Error())
		}
	}
}

// wake has a full segment synced soon. Missing it is harmless.
func (s *Store) wake(p *partition) {
	select {
	case s.woken <- p:
	default:
	}
}

// Snapshot makes durable what was acknowledged so far in all partitions.
func (s *Store) Snapshot(ctx context.Context) error {
	var all error
	for _, p := range s.all() {
		if ctx.Err() != nil {
			return errors.Join(all, ctx.Err())
		}
		if err := p.snapshot(ctx); err != nil {
			all = errors.Join(all, fmt.Errorf("snapshotting the state of partition %d: %w", p.number, err))
		}
	}
	return all
}

// Close makes a last snapshot, as far as the context allows, and gives the
// folder free. The host may call it twice, and at once: only the first does.
func (s *Store) Close(ctx context.Context) error {
	var err error
	s.closed.Do(func() {
		if !s.options.InMemory {
			err = s.Snapshot(ctx)
		}
		if s.lock != nil {
			err = errors.Join(err, s.lock.Close())
		}
	})
	return err
}

const partitionDigits = 4

func (s *Store) dir(partition int) string { return partitionDir(s.options.Dir, partition) }

func partitionDir(dir string, partition int) string { return path.Join(dir, remoteFolder(partition)) }

func (s *Store) makeDir(dir string) error {
	if err := s.disk.MkdirAll(dir); err != nil {
		return fmt.Errorf("making the state's folder: %w", err)
	}
	return s.disk.SyncDir(s.options.Dir)
}
