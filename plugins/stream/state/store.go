package state

import (
	"context"
	"sync"

	"github.com/connect-testengine/connect-testengine/plugins/stream/disk"
)

// Store is the state of all stateful processors of a pipeline, by partition. It
// is a Provider for them and a testengine.LogFollower for the log.
type Store struct {
	disk    disk.Disk
	options Options

	mutex      sync.Mutex
	partitions map[int]*partition
}

func newStore(d disk.Disk, o Options) *Store {
	return &Store{disk: d, options: o.withDefaults(), partitions: map[int]*partition{}}
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
