// Package disklog is a durable, ordered log of uploads on one disk. One
// committer gives each entry its number and its time T, writes a group of
// entries as frames, syncs once, hands them to the lanes' readers and answers.
//
// On disk a log is a folder: log.json (identity and lane count), segment files
// of a fixed, reserved size that all lanes share, a checkpoint, and a lock. Every
// number is given once; a lane sees its own numbers grow, with gaps.
//
// Writing: append.go takes entries, queue.go lines them up by owner, commit.go is
// the committer, beside.go lets it write a small group beside a large one. Reading:
// read.go, from memory.go while bodies are held there; replay.go reads over all
// lanes. Files: frame.go and segment.go are their form, room.go reserves and
// trim.go removes them, recover.go finds the end of the log, checkpoint.go
// remembers where lanes are done.
package disklog

import (
	"errors"
	"fmt"
	"io"
	"math"
	"sort"
	"sync"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// MaxLanes is the most lanes a log can have; a segment's head has room for no more.
const MaxLanes = 128

// Reasons for which the log takes nothing.
var (
	// ErrFull says that a limit is reached: later it may be accepted again.
	ErrFull = errors.New("the upload log is full")
	// ErrFailed says that the disk failed: what was acknowledged is safe, nothing more is accepted until the log is opened anew.
	ErrFailed = errors.New("the upload log has stopped accepting")
	// ErrClosed says that the log was closed.
	ErrClosed = errors.New("the upload log is closed")
	// ErrTooLarge says that an entry does not fit into a segment.
	ErrTooLarge = errors.New("the entry is larger than a log segment")
)

// Options are the limits of a log.
type Options struct {
	// Lanes is the lane count of a new log; 0 accepts what the log has (4 for a new one).
	Lanes int
	// SegmentBytes is the size of a new segment file.
	SegmentBytes int64
	// MaxBytes bounds all segment files together; 0 is no bound.
	MaxBytes int64
	// MinFreeBytes and MinFreePercent are what must stay free on the disk.
	MinFreeBytes   int64
	MinFreePercent float64
	// MemoryBytes bounds the recent bodies kept in memory for readers that keep up.
	MemoryBytes int64
	// Retain keeps entries that are done for so long (in log time); RetainBytes keeps so many bytes of them.
	Retain      time.Duration
	RetainBytes int64
	// RecentKeys is how many keys are remembered to recognise duplicates.
	RecentKeys int
	// Random makes the identity of a new log.
	Random io.Reader
	// Changed is called after entries were published, by the committer: it must not block.
	Changed func()
	// ReadOnly opens an existing log for a replay: nothing is written, not even a repair.
	ReadOnly bool

	smallBytes int64 // For tests; 0 is the constant of that name.
}

func (o Options) withDefaults() Options {
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = 256 << 20
	}
	if o.RecentKeys <= 0 {
		o.RecentKeys = 100_000
	}
	if o.smallBytes <= 0 {
		o.smallBytes = smallBytes
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	return o
}

// Log is an open log. Its methods may be called by many goroutines.
type Log struct {
	disk    disk.Disk
	dir     string
	options Options
	head    identity
	lock    io.Closer

	mu       sync.Mutex
	segments []*segment // Oldest first; the last is written to.
	recycled []string   // Files that wait to be segments again.
	next     int64      // The number after the last published entry.
	time     int64      // T of the last published entry.
	lanes    []lane
	memory   int64 // Bytes of bodies held in memory.
	refs     int   // Index entries held in memory.
	uses     int64
	failed   error
	closing  bool

	// The committer's own.
	queue   queue
	wake    chan struct{}
	answers chan answer
	done    chan struct{}
	arena   []byte // The group being written; begins at a block of memory.
	second  []byte // The same of the group beside it.
	whole   bool   // Groups are written in whole blocks.
	recent  *recentKeys
	active  *segment          // The segment being written; among segments once its first group is safe.
	spare   chan spareSegment // The next segment while it is being reserved.

	trimming    sync.Mutex
	saved       []byte // The checkpoint as last written.
	checkpoints sync.Mutex
	duplicates  int64
}

// lane is what the log knows of one lane.
type lane struct {
	totals
	cursor    int64 // Everything below is done.
	kept      int64 // Everything from here on is still needed by the state.
	doneCount int64
	doneBytes int64
}

// totals counts what was ever written to a lane.
type totals struct {
	last  int64 // The last entry's number, -1 before the first.
	count int64
	bytes int64
}

// Open opens the log in dir, or makes it. It reads what was written since the
// checkpoint and the heads of the segments, nothing more.
func Open(d disk.Disk, dir string, options Options) (*Log, error) {
	options = options.withDefaults()
	if options.Lanes > MaxLanes {
		return nil, fmt.Errorf("a log has at most %d lanes, not %d", MaxLanes, options.Lanes)
	}
	if options.SegmentBytes < 2*segmentHead || options.SegmentBytes > math.MaxUint32 {
		return nil, fmt.Errorf("a log segment has 8 KiB to 4 GiB, not %d bytes", options.SegmentBytes)
	}
	l := &Log{disk: d, dir: dir, options: options, recent: newRecentKeys(options.RecentKeys), queue: queue{lines: map[string]*line{}}}
	if err := l.open(); err != nil {
		return nil, errors.Join(err, l.closeFiles())
	}
	if options.ReadOnly {
		return l, nil
	}
	l.wake = make(chan struct{}, 1)
	l.answers = make(chan answer, 1024)
	l.done = make(chan struct{})
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		for a := range l.answers {
			a.done(a.err)
		}
	}()
	go func() {
		l.commitUntilClosed()
		close(l.answers)
		<-answered
		close(l.done)
	}()
	return l, nil
}

func (l *Log) open() error {
	if !l.options.ReadOnly {
		if err := l.disk.MkdirAll(l.dir); err != nil {
			return fmt.Errorf("making the log folder: %w", err)
		}
	}
	held, err := lockFolder(l.disk, l.dir)
	if err != nil {
		return err
	}
	l.lock = held
	if err := l.openIdentity(); err != nil {
		return err
	}
	l.lanes = make([]lane, l.head.Lanes)
	for i := range l.lanes {
		l.lanes[i].last = -1
		l.lanes[i].kept = -1
	}
	return l.recover()
}

// lockFolder keeps a second process out of the log.
func lockFolder(d disk.Disk, dir string) (io.Closer, error) {
	held, err := d.Lock(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the upload log: %w", err)
	}
	return held, nil
}

// Identity is what binds everybody's offsets to this log.
func (l *Log) Identity() testengine.LogIdentity {
	return testengine.LogIdentity{ID: l.head.ID, Partitions: l.head.Lanes}
}

// LaneOf is the lane of everything that hashes to suite.
func (l *Log) LaneOf(suite uint64) int { return int(suite % uint64(l.head.Lanes)) }

// Begin is the lane's oldest number that the log still answers for: 0 until an entry of the lane was trimmed.
func (l *Log) Begin(lane int) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.segments[0].before[lane].last + 1
}

// End is the number that the next entry will get.
func (l *Log) End() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

// Time is T: the greatest received_at of all entries.
func (l *Log) Time() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.time
}

// Cursor is the lane's first number that is not done.
func (l *Log) Cursor(lane int) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lanes[lane].cursor
}

// AtEnd says whether the lane has no entry at or after number.
func (l *Log) AtEnd(lane int, number int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lanes[lane].last < number
}

// Holds says whether the lane has entries at or after number, and so many of them,
// or so many bytes, as least says: either is enough.
func (l *Log) Holds(lane int, number int64, least Limit) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lanes[lane].last < number {
		return false
	}
	held := Limit{}
	for i := l.segmentAt(number); i < len(l.segments); i++ {
		s := l.segments[i]
		if s.index == nil {
			return true // What nobody has read yet is much.
		}
		refs := s.index[lane]
		begin := sort.Search(len(refs), func(k int) bool { return refs[k].number >= number })
		for k := begin; k < len(refs) && held.Entries < least.Entries && held.Bytes < least.Bytes; k++ {
			held.Entries++
			held.Bytes += int64(refs[k].length)
		}
	}
	return held.Entries >= least.Entries || held.Bytes >= least.Bytes
}

// Done says that the lane's records below next are in the store: the cursor moves, never back.
func (l *Log) Done(lane int, next int64, records []Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := &l.lanes[lane]
	for i := range records {
		if records[i].Lane == lane && records[i].Number >= at.cursor && records[i].Number < next {
			at.doneCount++
			at.doneBytes += records[i].size()
		}
	}
	at.cursor = max(at.cursor, next)
}

// Keep says that the lane's records from number on are still needed, wherever its cursor is.
func (l *Log) Keep(lane int, number int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lanes[lane].kept = number
}

// Depth counts what waits in the log: entries and bytes that are not done.
func (l *Log) Depth() (entries, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.lanes {
		entries += l.lanes[i].count - l.lanes[i].doneCount
		bytes += l.lanes[i].bytes - l.lanes[i].doneBytes
	}
	return entries, bytes
}

// Duplicates counts the deliveries that were recorded as duplicates since Open.
func (l *Log) Duplicates() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.duplicates
}

// Healthy is nil while the log can accept.
func (l *Log) Healthy() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// Close commits what was appended, answers it, writes the checkpoint and lets go of the folder.
func (l *Log) Close() error {
	if l.options.ReadOnly {
		return l.closeFiles()
	}
	l.mu.Lock()
	already := l.closing
	l.closing = true
	l.mu.Unlock()
	if already {
		<-l.done
		return nil
	}
	l.signal()
	<-l.done
	err := l.Checkpoint()
	return errors.Join(err, l.closeFiles())
}

func (l *Log) closeFiles() error {
	var errs []error
	for _, s := range l.segments {
		if s.file != nil {
			errs = append(errs, s.file.Close())
		}
	}
	if l.lock != nil {
		errs = append(errs, l.lock.Close())
	}
	return errors.Join(errs...)
}
