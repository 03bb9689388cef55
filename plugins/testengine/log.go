package testengine

import (
	"context"
	"errors"
	"strings"
)

// ErrNotRemembered says that the state has not taken a message's record: it could
// not be written, or the message's batch was given up. A processor returns it at
// once, outputs give the whole batch back, and the input hands it out again after
// the state was restored.
var ErrNotRemembered = errors.New("the state has not taken this record")

// LogIdentity binds offsets, files and watermarks to the log they belong to.
// What was written under another identity is refused.
type LogIdentity struct {
	ID string
	// Partitions is the number of lanes, or of a topic's partitions.
	Partitions int
}

// UploadLogPrefix begins the ids that upload logs give themselves.
const UploadLogPrefix = "log_"

// IsUploadLog says that it is an upload log: its lanes share suites out by another
// hash than a topic's partitions.
func (l LogIdentity) IsUploadLog() bool { return strings.HasPrefix(l.ID, UploadLogPrefix) }

// LogFollower is state that is a pure function of a log: the state resource
// behind stateful processors. A log's input or buffer asks it where to begin.
type LogFollower interface {
	// Restore brings the partition's state to the newest point it can prove that
	// is not beyond cursor (the next record to process), throws away what lies
	// behind it, and returns the next record to deliver (<= cursor). begin is the
	// log's oldest record: a partition without state starts empty only if begin
	// is 0, otherwise Restore refuses in one sentence. It may take seconds.
	Restore(ctx context.Context, log LogIdentity, partition int, begin, cursor int64) (next int64, err error)
	// NextDue is the earliest timer of the partition, for the log's ticks.
	NextDue(partition int) (unixMilli int64, ok bool)
	// Synced is the first record whose effect on the state is not yet durable;
	// the log keeps it and everything after it.
	Synced(partition int) int64
	// Acked says that the store behind has everything below next: state may be
	// cut there, and snapshots may name it.
	Acked(partition int, next int64)
}

// Failer is a LogFollower that can fail between restores.
type Failer interface {
	// Failed is why the partition stands still until it is restored, nil when it
	// does not. Its batches have to be handed out again, whatever was acknowledged.
	Failed(partition int) error
}

// Timekeeper is a LogFollower that knows T, the greatest log time of the records
// that it contains. A replay goes on from there.
type Timekeeper interface {
	Time(partition int) (unixMilli int64)
}

// Passer is a LogFollower that lets a batch of a partition in while the one
// before it is still being stored.
type Passer interface {
	// Passed says that the processors have done everything of the partition below
	// next and nothing beyond. It is called between batches, never while one is in
	// the processors; Acked(next) follows when the store has it, and may come while
	// the processors are at work on what follows.
	Passed(partition int, next int64)
}

// CycleGuard is a LogFollower behind an input that works in cycles, as one
// transaction each.
type CycleGuard interface {
	// OpenCycle says which cycle of the partition is open: the state refuses
	// messages whose MetaCycle is another number. It is called between batches of
	// the partition, never while one is in flight. 0 takes messages without one.
	OpenCycle(partition int, number int64)
}

// LogReader is a store that commits rows and its watermark in one transaction.
type LogReader interface {
	// Watermark is the next record the store expects of a partition; ok is false
	// when it has none yet. Another log's identity is an error in one sentence.
	Watermark(ctx context.Context, log LogIdentity, partition int) (next int64, ok bool, err error)
}

// Receiver is a LogReader that stores the batches of a partition (MetaBatchBegin)
// in the order in which they come, and none of them before those in front of it.
type Receiver interface {
	// OnReceived has received called whenever a batch has come and waits to be
	// stored, with its partition and where it begins. It may be called twice for one.
	OnReceived(received func(partition int, begin int64))
}
