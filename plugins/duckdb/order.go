package duckdb

import (
	"errors"
	"fmt"
	"maps"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/duckdb/rows"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// errOvertakes says that the batch in front of this one in its lane is not stored.
// The watermark would move past that one, and drop it when it comes again.
var errOvertakes = errors.New("the batch in front of this one is not stored")

// batchPlace is which part of its lane a batch is. It is not known of a stream
// whose lanes have one batch on their way, and of a batch that came in pieces.
type batchPlace struct {
	known      bool
	partition  int
	begin, end int64
}

func placeOf(batch service.MessageBatch) (p batchPlace) {
	if len(batch) == 0 {
		return p
	}
	position, logged := message.Position(batch[0])
	begin, hasBegin := message.Int(batch[0], testengine.MetaBatchBegin)
	end, hasEnd := message.Int(batch[len(batch)-1], testengine.MetaBatchEnd)
	return batchPlace{known: logged && hasBegin && hasEnd, partition: position.Partition, begin: begin, end: end}
}

// order keeps the batches of a partition from overtaking each other, by where
// each begins and ends: numbers of records have gaps. Where they end is known
// here for those that this process has stored; for others the watermark tells.
type order struct {
	stored, moved map[int]int64 // by partition; moved goes with the transaction
}

// begin forgets what a transaction that failed has staged.
func (o *order) begin() { o.moved = maps.Clone(o.stored) }

// check refuses a batch that begins beyond what is stored with this transaction.
func (o *order) check(p batchPlace, marks rows.Marks) error {
	if p.known && p.begin > max(o.moved[p.partition], marks.Of[p.partition].Next) {
		return fmt.Errorf("storing entries %d to %d of lane %d: %w", p.begin, p.end-1, p.partition, errOvertakes)
	}
	return nil
}

func (o *order) staged(p batchPlace) {
	if !p.known {
		return
	}
	if o.moved == nil {
		o.moved = map[int]int64{}
	}
	o.moved[p.partition] = p.end
}

func (o *order) commit() { o.stored = maps.Clone(o.moved) }
