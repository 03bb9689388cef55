// Package state keeps what stateful processors know, as a pure function of a
// log: state(o) is the fold of all records up to o. It contains all recovery
// code (deltas, marks, cuts, snapshots, restore, roll-back) and knows nothing of
// those who use it.
//
// A processor has one Table for each partition of the log. It opens every record
// with Begin, changes entries and timers, and closes the record with End. The
// changes of a record, as values, become one frame in the partition's stream of
// delta segments. When the store behind has committed a batch, Acked writes a
// mark: the state can be cut there. Restore brings all tables of a partition to
// the newest mark that is not beyond the log's cursor.
//
// In memory: table.go, over index.go (cells), slab.go (values) and timers.go. On
// disk: writer.go appends frames to segments, snapshot.go merges them into a base
// and names all files in a manifest; folder.go and image.go read them back for
// restore.go. In a depot: upload.go copies them there, download.go brings them to
// another node. For commands, while nobody works with the state: offline.go,
// portable.go (export, import), divide.go, compare.go, reset.go, handover.go, move.go.
package state

import (
	"context"
	"errors"
	"fmt"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// MaxCell is the greatest cell: cells have 56 bits.
const MaxCell = 1<<56 - 1

// MaxValue is the greatest length of a value.
const MaxValue = 64 << 10

// ErrApplied is returned by Begin for a record that the table contains already.
var ErrApplied = errors.New("the state contains this record already")

// ErrCycle says that a message belongs to a cycle that is not open. Its batch
// was given up: what it would change is done again by another one.
var ErrCycle = fmt.Errorf("the message belongs to a cycle that is not open: %w", testengine.ErrNotRemembered)

// Provider gives processors their tables. The custom resource testengine_state
// is one; NewMemory gives another.
type Provider interface {
	// Table returns the processor's table in that partition. It waits until the
	// partition is restored. logic names the rules under which the processor
	// computes (rule versions and a hash of its configuration); a table that was
	// written under another logic is restored all the same, and says so by
	// RestoredLogic. A stateful processor must see every record of the log.
	Table(ctx context.Context, name string, partition int, logic string) (*Table, error)
}

// NewMemory gives tables that begin empty and are never written to files: for
// streams without the resource, and for tests.
func NewMemory() Provider { return newStore(nil, Options{InMemory: true}) }
