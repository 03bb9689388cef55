package kafkalog

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// lane is where one partition stands. It has one batch on its way at a time.
type lane struct {
	Lane

	phase phase
	// load counts how often the lane was to be brought somewhere; a bringer
	// whose number is no longer the present one gives up.
	load    int
	loading chan struct{} // holds a token while nobody brings the lane somewhere

	busy  bool    // a batch is in the outbox or on its way
	queue []Entry // polled and not handed out, in order
	// polled is behind the last record in the queue, next behind the last one
	// that is done; committed is c.
	polled, next, committed int64
	epoch                   int32 // of the leader, with the last record that is done
	time, timeNext          int64 // T at polled, and at next
	created                 bool  // the times of writers move T too
	// clean says that the state behind the lane is that of next, and next is c.
	clean    bool
	touched  bool // something was handed out in this cycle
	polledAt time.Time

	// limit is how many records a cycle may hand out while the lane is suspected; 0 is no limit.
	limit, given int
	first        int64 // the first record of this cycle
	// suspect is the record that failed alone, so many times.
	suspect  int64
	failures int
	retryAt  time.Time
	ticking  bool
	seeking  bool      // the client has to be told where the lane stands
	cutting  int       // the load whose ranges are being cut
	oldest   time.Time // when the first record of the queue came
	behind   time.Time // since when the lane was seen behind the log's end
	measured bool      // the observer was told how far it is behind
}

type phase int

const (
	phaseGone     phase = iota // another member has it
	phaseLoading               // it is brought to c, and paused
	phaseDraining              // it goes, what is out may come back
	phaseReady
)

// poisonAfter is how often a record aborts cycles alone before it is passed by.
const poisonAfter = 3

func newLane(at Lane) *lane {
	l := &lane{Lane: at, loading: make(chan struct{}, 1), suspect: -1}
	l.loading <- struct{}{}
	return l
}

func (l *lane) push(r *kgo.Record) {
	if len(l.queue) == 0 {
		l.oldest = time.Now()
	}
	l.queue = append(l.queue, Entry{Record: r, Time: l.timeOf(r)})
	l.polled = r.Offset + 1
}

// allowance is how many records the cycle may still hand out.
func (l *lane) allowance(most int) int {
	if l.limit == 0 {
		return most
	}
	return min(most, l.limit-l.given)
}

// take makes the next batch, or nil. Control records move the lane on; they are
// in no batch.
func (l *lane) take(records int, bytes int64) *Batch {
	batch := &Batch{Lane: l.Lane, of: l}
	n := 0
	for ; n < len(l.queue); n++ {
		e := l.queue[n]
		if !e.Record.Attrs.IsControl() {
			if len(batch.Entries) >= records || len(batch.Entries) > 0 && batch.bytes+sizeOf(e.Record) > bytes {
				break
			}
			batch.Entries = append(batch.Entries, e)
		}
		batch.bytes += sizeOf(e.Record)
		batch.next, batch.epoch, batch.time = e.Record.Offset+1, e.Record.LeaderEpoch, e.Time
	}
	if n == 0 {
		return nil
	}
	batch.taken, l.queue = l.queue[:n:n], l.queue[n:]
	if len(l.queue) == 0 {
		l.queue = nil // What it pointed to may go.
	}
	if len(batch.Entries) == 0 {
		l.advance(batch)
		return nil
	}
	if l.given == 0 {
		l.first = batch.Entries[0].Record.Offset
	}
	l.given += len(batch.Entries)
	l.touched, l.clean = true, false
	batch.Poison = l.limit == 1 && l.suspect == batch.Entries[0].Record.Offset && l.failures >= poisonAfter
	return batch
}

// giveBack puts a batch in front of the queue again, with its markers: without
// them the lane would stand before a marker at the log's end for ever.
func (l *lane) giveBack(b *Batch) {
	l.queue = append(b.taken, l.queue...) // It has no room behind it, so this copies.
	l.given -= len(b.Entries)
}

// advance moves the lane behind a batch that is done.
func (l *lane) advance(b *Batch) {
	l.next, l.epoch, l.timeNext = b.next, b.epoch, b.time
}

// blame halves what the lane may hand out in a cycle, until one record is left
// alone and counted. A batch that came late, or was called back, proves nothing.
func (l *lane) blame(b *Batch, err error) {
	if errors.Is(err, ErrLateBatch) {
		return
	}
	l.halve(len(b.Entries), b.Entries[0].Record.Offset)
}

func (l *lane) halve(records int, first int64) {
	if records > 1 {
		l.limit = records / 2
		return
	}
	l.limit = 1
	if l.suspect != first {
		l.suspect, l.failures = first, 0
	}
	l.failures++
}

// mostPlaces is how many lanes a line of the log names.
const mostPlaces = 4

// places says where lanes stand, for a line of the log.
func places(lanes []*lane) string {
	var text strings.Builder
	for n, l := range lanes {
		if n == mostPlaces {
			fmt.Fprintf(&text, " and %d more", len(lanes)-n)
			break
		}
		if n > 0 {
			text.WriteString(", ")
		}
		fmt.Fprintf(&text, "%s from offset %d on", l.Lane, l.committed)
	}
	if text.Len() == 0 {
		return "no partition"
	}
	return text.String()
}

// trust widens the limit after a cycle that was committed.
func (l *lane) trust(most int) {
	if l.limit == 0 || l.given == 0 {
		return
	}
	if l.limit *= 2; l.limit >= most {
		l.limit = 0
	}
	l.suspect, l.failures = -1, 0
}

// drop forgets what was polled and returns its bytes.
func (l *lane) drop() (bytes int64) {
	for _, e := range l.queue {
		bytes += sizeOf(e.Record)
	}
	l.queue, l.polled, l.time = nil, l.next, l.timeNext
	return bytes
}
