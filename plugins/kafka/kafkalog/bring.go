package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/message/pause"
)

// errSuperseded ends a bringer whose lane has another destination by now.
var errSuperseded = errors.New("the lane goes elsewhere")

// bring has the lane brought to c, in a goroutine of its own. mu is held, and
// the partition is paused.
func (s *Source) bring(l *lane, c int64) {
	s.buffered -= l.drop()
	l.phase = phaseLoading
	l.load++
	load := l.load
	s.workers.Go(func() {
		<-l.loading
		defer func() { l.loading <- struct{}{} }()
		for failures := 0; ; failures++ {
			err := s.asRefusal(s.bringOnce(s.running, l, load, c))
			switch {
			case err == nil, errors.Is(err, errSuperseded), s.running.Err() != nil:
				return
			case errors.Is(err, ErrRefused):
				s.refuse(err)
				return
			}
			s.options.Logger.Warnf("Bringing %s to offset %d, next try follows: %v", l.Lane, c, err)
			if !pause.For(s.running, backOff(failures)) {
				return
			}
		}
	})
}

// current says whether the bringer's destination still is the lane's.
func (s *Source) current(l *lane, load int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return l.load == load
}

func (s *Source) bringOnce(ctx context.Context, l *lane, load int, c int64) error {
	if err := s.untilBack(ctx, l, load); err != nil {
		return err
	}
	s.mu.Lock()
	// A range that somebody has announced meanwhile does not move c, so only what is committed tells.
	there, stands := l.clean && l.next == c && s.options.Ranges.Rows == 0, landing{asked: c, at: c, committed: c, time: l.timeNext, epoch: l.epoch}
	s.mu.Unlock()
	if there {
		return s.arrive(l, load, stands)
	}
	committed, err := s.stable(ctx)
	if err != nil {
		return fmt.Errorf("reading the committed offsets: %w", err)
	}
	known, ok := committed[l.Topic][l.Partition]
	if !ok {
		return s.errNoCommit(l.Topic, l.Partition)
	}
	if err := s.checkNote(l, known); err != nil {
		return err
	}
	next, err := s.restore(ctx, l, c)
	if err != nil {
		return err
	}
	began := s.timeAt(l, next, known)
	replayed, last, err := s.replay(ctx, l, load, span{from: next, to: c, time: began})
	if err != nil {
		return err
	}
	stands = landing{asked: c, at: c, committed: known.at, time: max(known.timeAt(c), began, last), epoch: known.epoch, replayed: replayed}
	if err := s.fill(ctx, l, load, c); err != nil {
		return err
	}
	if s.options.Ranges.Rows > 0 && known.note.Intent > c {
		done, err := s.redo(ctx, l, load, span{from: c, to: known.note.Intent, time: known.note.Time})
		if err != nil {
			return err
		}
		stands.at, stands.time, stands.epoch = done.next, max(stands.time, done.time), done.epoch
	}
	return s.arrive(l, load, stands)
}

// untilBack waits for a batch of the lane that is still on its way.
func (s *Source) untilBack(ctx context.Context, l *lane, load int) error {
	for {
		s.mu.Lock()
		busy, superseded := l.busy, l.load != load
		s.mu.Unlock()
		switch {
		case superseded:
			return errSuperseded
		case !busy:
			return nil
		}
		if !pause.For(ctx, firstPause) {
			return ctx.Err()
		}
	}
}

// restore brings the state behind the lane as near to c as it can, and returns
// the next record that it needs.
func (s *Source) restore(ctx context.Context, l *lane, c int64) (next int64, err error) {
	begin, end, err := s.bounds(ctx, l)
	switch {
	case err != nil:
		return 0, err
	case c < begin:
		return 0, refuse("%s begins at offset %d, but group %s needs it from %d on: its retention is shorter than the group's delay", l.Lane, begin, s.options.Group, c)
	case c > end:
		return 0, refuse("%s ends at offset %d, but group %s has committed %d: the log was cut or made anew", l.Lane, end, s.options.Group, c)
	case s.options.Follower == nil:
		return c, nil
	}
	s.mu.Lock()
	l.clean = false
	s.mu.Unlock()
	s.openCycle(l, 0)
	next, err = s.options.Follower.Restore(ctx, s.identity, l.Number, begin, c)
	if err != nil {
		return 0, refuse("restoring the state of %s: %v", l.Lane, err)
	}
	if next < begin || next > c {
		return 0, refuse("restoring the state of %s: it stands at offset %d, outside of %d to %d", l.Lane, next, begin, c)
	}
	return next, nil
}

// landing is where a lane has been brought.
type landing struct {
	// asked is where the client's position was left, committed is c.
	asked, at, committed int64
	time                 int64 // T
	epoch                int32
	replayed             int64 // silent records
}

// arrive lets the lane go on: everything below its place is applied, and nothing else.
func (s *Source) arrive(l *lane, load int, stands landing) error {
	s.mu.Lock()
	if l.load != load {
		s.mu.Unlock()
		return errSuperseded
	}
	l.next, l.polled, l.committed, l.epoch = stands.at, stands.at, stands.committed, stands.epoch
	l.time, l.timeNext, l.clean = stands.time, stands.time, true
	l.phase = phaseReady
	l.seeking = l.seeking || stands.at != stands.asked
	client, seeking := s.client, l.seeking
	s.mu.Unlock()
	if s.options.Observer != nil {
		s.options.Observer.Restored(stands.replayed)
	}
	if client != nil && !seeking {
		client.ResumeFetchPartitions(map[string][]int32{l.Topic: {l.Partition}})
	}
	signal(s.changed)
	return nil
}

// replay hands a span out again, silently, by a plain reader of its own: the
// group's client would take its position for committed.
// It returns how many records that were, and T behind them.
func (s *Source) replay(ctx context.Context, l *lane, load int, again span) (count, last int64, err error) {
	if again.from >= again.to {
		return 0, 0, nil
	}
	_, err = s.readRange(ctx, l, again, func(batch *Batch) error {
		batch.Silent = true
		if err := s.handAndWait(ctx, l, load, batch); err != nil {
			return err
		}
		count, last = count+int64(len(batch.Entries)), batch.time
		if s.options.Follower != nil {
			s.options.Follower.Acked(l.Number, batch.next)
		}
		return nil
	})
	return count, last, err
}

// handAndWait hands out a batch that belongs to no cycle and waits until it is back.
func (s *Source) handAndWait(ctx context.Context, l *lane, load int, batch *Batch) error {
	out := *batch // Another one each time: whoever had it before may still look at it.
	out.of, out.source, out.LogID, out.Lane = l, s, s.identity.ID, l.Lane
	out.settled = make(chan error, 1)
	s.mu.Lock()
	if l.load != load {
		s.mu.Unlock()
		return errSuperseded
	}
	s.hand(&out)
	s.mu.Unlock()
	select {
	case err := <-out.settled:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// replayIdle is how long a reader waits for records before it says so.
const replayIdle = 10 * time.Second

// span is the records [from, to) of a lane that are read again. time is T at from.
type span struct{ from, to, time int64 }

// readRange reads a span of the lane's partition and gives it to each in batches.
// It returns the leader's epoch with the last record; of a marker behind the last
// batch no batch tells. -1 is not known.
func (s *Source) readRange(ctx context.Context, l *lane, again span, each func(*Batch) error) (epoch int32, err error) {
	client, err := newClient(s.options.Client,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{l.Topic: {l.Partition: kgo.NewOffset().At(again.from)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(fetchWait),
		kgo.FetchMaxBytes(s.options.FetchBytes), kgo.FetchMaxPartitionBytes(s.options.FetchPartitionBytes), kgo.WithDecompressor(newUnpacker()))
	if err != nil {
		return -1, err
	}
	defer client.Close()
	reading := lane{Lane: l.Lane, polled: again.from, epoch: -1, time: again.time, created: l.created}
	for reading.polled < again.to {
		wait, cancel := context.WithTimeout(ctx, replayIdle)
		fetches := client.PollRecords(wait, s.options.BatchRecords)
		cancel()
		if ctx.Err() != nil {
			return -1, ctx.Err()
		}
		fetches.EachError(func(topic string, partition int32, failure error) {
			if failed := s.pollError(topic, partition, failure); failed != nil {
				err = failed
			}
		})
		if err != nil {
			return -1, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset >= again.to {
				reading.polled = max(reading.polled, again.to)
				return
			}
			if failed := s.checkTime(r); failed != nil {
				err = failed
			}
			reading.push(r)
		})
		if err != nil {
			return -1, err
		}
		if fetches.NumRecords() == 0 {
			s.options.Logger.Warnf("Reading %s again from offset %d to %d: nothing has come for %s", l.Lane, reading.polled, again.to, replayIdle)
		}
		for batch := reading.take(s.options.BatchRecords, s.options.BatchBytes); batch != nil; batch = reading.take(s.options.BatchRecords, s.options.BatchBytes) {
			if err := each(batch); err != nil {
				return -1, err
			}
			reading.advance(batch)
		}
	}
	return reading.epoch, nil
}
