// Package kafkalog reads topics as logs: in order, one batch of a partition on
// its way at a time, from exactly the committed offset on. It is the log's door
// to Kafka, as package disk is the door to files: the only inner package that
// speaks franz-go.
//
// With a Transaction, outputs and offsets of a cycle are one transaction of
// Kafka. State behind a partition is brought to the committed offset before the
// partition's first record, and after everything that may have moved either.
//
// What all ways of reading share: source.go joins the group and hands to whoever
// reads, batches.go polls, makes batches of the lanes' records and takes them back.
// The ways are cycle.go (transactions), plain.go (offsets behind acknowledgements)
// and ranges.go (what stores take whole). lane.go is one partition, bring.go brings
// it to its offset, member.go hears the group, survey.go asks the brokers, keep.go
// ticks and measures. transaction.go and write.go are the writing side.
package kafkalog

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Lane is a partition of a topic. Number counts over the partitions of all
// topics that are read as one log; with one topic it is the partition.
type Lane struct {
	Topic     string
	Partition int32
	Number    int
}

func (l Lane) String() string { return fmt.Sprintf("topic %s partition %d", l.Topic, l.Partition) }

// Range is what a store takes whole: the records of a lane from Begin to before End.
type Range struct{ Begin, End int64 }

// Batch is records of one lane, in the log's order. The records and their bytes
// belong to whoever reads the batch until Done.
type Batch struct {
	Lane  Lane
	LogID string
	// Entries are never empty.
	Entries []Entry
	// Cycle is the transaction that the batch belongs to; 0 is none.
	Cycle int64
	// Silent says that the batch was done before and only brings state back.
	Silent bool
	// Poison says that the batch has failed alone too often: its record only
	// moves state, its outputs are left out, and it goes to the dead letters.
	Poison bool
	// Range is what the batch is the whole of, or nil.
	Range *Range

	// taken is what the lane's queue had for the batch: Entries and the markers
	// between and behind them.
	taken []Entry
	// next is behind the last record, epoch and time are its leader epoch and T.
	next, time int64
	epoch      int32
	bytes      int64
	source     *Source
	of         *lane
	settled    chan error // of silent batches
}

// Entry is a record and T, the greatest log time of the partition's records up to
// it. A record that no broker has stamped has its own time, if that is later.
type Entry struct {
	Record *kgo.Record
	Time   int64 // unix milliseconds
}

// Done gives the batch back: nil when everything behind has it. It is called once.
func (b *Batch) Done(err error) { b.source.settle(b, err) }

// Logger takes one line for each thing that went wrong.
type Logger interface {
	Infof(template string, args ...any)
	Warnf(template string, args ...any)
	Errorf(template string, args ...any)
}

// Observer counts. Its methods are called from several goroutines.
type Observer interface {
	// Cycle is the end of a transaction that held something: committed, aborted or broken.
	Cycle(result string, took time.Duration)
	Tick()
	DeadLetter(reason string)
	// Restored is a lane that stands at its committed offset, after a silent replay of so many records.
	Restored(replayed int64)
	Lag(lane Lane, records int64, seconds float64)
}

// Results of a cycle.
const (
	resultCommitted = "committed"
	resultAborted   = "aborted"
	resultBroken    = "broken"
)

// Options say what is read and how. Zero values of limits take the defaults.
type Options struct {
	// Client reaches the brokers: addresses, TLS, SASL, dialer. It is given to
	// every client that the source makes.
	Client []kgo.Opt
	Group  string
	// Version is that of the pipeline; what another version has committed is refused.
	Version string
	// InstanceID is the name of a static member, or "".
	InstanceID string
	Topics     []string
	// Transaction is nil for at-least-once delivery.
	Transaction *Transaction
	// Follower is the state behind, or nil; it needs exactly one topic.
	Follower testengine.LogFollower
	// Store is the store behind ranges, or nil.
	Store testengine.LogReader
	// Ranges cut the log for stores when Rows is not 0. They exclude Transaction and Follower.
	Ranges RangeLimit

	BatchRecords  int
	BatchBytes    int64
	BufferedBytes int64
	Cycle         time.Duration
	AbortAfter    time.Duration
	// CommitInterval is how often offsets are committed without a transaction.
	CommitInterval time.Duration
	// Drain is how long a revoke or a close waits for batches that are out.
	Drain               time.Duration
	SessionTimeout      time.Duration
	RebalanceTimeout    time.Duration
	TickInterval        time.Duration
	FetchBytes          int32
	FetchPartitionBytes int32

	// CreatedTimes lets the times that writers gave their records move T too.
	CreatedTimes bool
	// CheckKeys sends records whose key does not hash to their partition to the dead letters.
	CheckKeys bool
	// Keyless tells the records that any partition may hold (ticks); nil is none.
	Keyless func(*kgo.Record) bool
	// RecordBytes is the greatest record that can be written.
	RecordBytes int
	// DeadLetters is a topic, or "" to drop them with a line in the log.
	DeadLetters string
	// Tick makes the record of a tick.
	Tick func(now int64) (*kgo.Record, error)
	// Rows counts what a record adds to a range; nil counts records.
	Rows func(*kgo.Record) int64

	Logger   Logger
	Observer Observer
}

// RangeLimit is where a range ends: at the first that is reached.
type RangeLimit struct {
	Rows   int64
	Bytes  int64
	Period time.Duration
}

func (o Options) withDefaults() Options {
	o.BatchRecords = cmpDefault(o.BatchRecords, 512)
	o.BatchBytes = cmpDefault(o.BatchBytes, 64<<20)
	o.BufferedBytes = cmpDefault(o.BufferedBytes, 64<<20)
	o.Cycle = cmpDefault(o.Cycle, 150*time.Millisecond)
	o.AbortAfter = cmpDefault(o.AbortAfter, 5*time.Second)
	o.CommitInterval = cmpDefault(o.CommitInterval, time.Second)
	o.Drain = cmpDefault(o.Drain, 5*time.Second)
	o.SessionTimeout = cmpDefault(o.SessionTimeout, 6*time.Second)
	o.RebalanceTimeout = cmpDefault(o.RebalanceTimeout, 30*time.Second)
	o.TickInterval = cmpDefault(o.TickInterval, time.Second)
	o.FetchBytes = cmpDefault(o.FetchBytes, 4<<20)
	o.FetchPartitionBytes = cmpDefault(o.FetchPartitionBytes, 1<<20)
	o.RecordBytes = cmpDefault(o.RecordBytes, 1<<20)
	o.Ranges.Bytes = cmpDefault(o.Ranges.Bytes, 16<<20)
	o.Ranges.Period = cmpDefault(o.Ranges.Period, time.Second)
	return o
}

func cmpDefault[T int | int32 | int64 | time.Duration](value, otherwise T) T {
	if value == 0 {
		return otherwise
	}
	return value
}

// ErrRefused is in every error after which going on would lose or double
// something: the process ends, and its message is the sentence to say.
var ErrRefused = errors.New("refused")

// refusal is a sentence that ends the process.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

func (*refusal) Is(target error) bool { return target == ErrRefused }

func refuse(template string, args ...any) error {
	return &refusal{fmt.Sprintf(template, args...)}
}

const (
	firstPause   = 10 * time.Millisecond
	longestPause = time.Second
)

// backOff is the pause after so many failures in a row.
func backOff(failures int) time.Duration {
	return min(longestPause, firstPause<<min(failures, 7))
}
