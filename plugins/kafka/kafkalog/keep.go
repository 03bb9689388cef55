package kafkalog

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// measureEvery is how often the brokers are asked where the log ends.
	measureEvery = 5 * time.Second
	askTimeout   = 5 * time.Second
)

// keep does what has time: ticks, lag, and a look at the topics.
func (s *Source) keep(ctx context.Context) {
	ticks, measures := time.NewTicker(s.options.TickInterval), time.NewTicker(measureEvery)
	defer ticks.Stop()
	defer measures.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticks.C:
			s.tick(now)
		case now := <-measures.C:
			if err := s.measure(ctx, now); err != nil && ctx.Err() == nil {
				s.options.Logger.Warnf("Measuring the lag of group %s: %v", s.options.Group, err)
			}
		}
	}
}

// tick appends a tick to every lane that waits at the log's end and whose state
// has a timer that is due. It is no part of a transaction: inside it would block
// the log's readers.
func (s *Source) tick(now time.Time) {
	if s.options.Follower == nil || s.options.Tick == nil {
		return
	}
	for _, l := range s.idle(now) {
		due, ok := s.options.Follower.NextDue(l.Number)
		if !ok || due > now.UnixMilli() {
			s.ticked(l)
			continue
		}
		record, err := s.options.Tick(now.UnixMilli())
		if err != nil {
			s.options.Logger.Errorf("Making a tick for %s behind offset %d: %v", l.Lane, s.polled(l)-1, err)
			s.ticked(l)
			continue
		}
		record.Topic, record.Partition = l.Topic, l.Partition
		s.side.Produce(s.running, record, func(_ *kgo.Record, err error) {
			s.ticked(l)
			switch {
			case err != nil && s.running.Err() == nil:
				s.options.Logger.Warnf("Appending a tick to %s behind offset %d: %v", l.Lane, s.polled(l)-1, err)
			case err == nil && s.options.Observer != nil:
				s.options.Observer.Tick()
			}
		})
	}
}

// idle are the lanes for which nothing has come for a tick interval; they are
// marked as ticking.
func (s *Source) idle(now time.Time) (idle []*lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.ordered {
		if l.phase == phaseReady && !l.ticking && !l.busy && len(l.queue) == 0 && now.Sub(l.polledAt) >= s.options.TickInterval {
			l.ticking = true
			idle = append(idle, l)
		}
	}
	return idle
}

// polled is behind the last record that the lane has seen.
func (s *Source) polled(l *lane) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return l.polled
}

func (s *Source) ticked(l *lane) {
	s.mu.Lock()
	l.ticking = false
	s.mu.Unlock()
}

// measure tells the observer how far each lane is behind, and refuses topics
// that have become others.
func (s *Source) measure(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	admin := kadm.NewClient(s.side)
	details, err := admin.ListTopics(ctx, s.options.Topics...)
	if err != nil {
		return err
	}
	if err := s.compareTopics(details); err != nil {
		s.refuse(err)
		return nil
	}
	ends, err := admin.ListCommittedOffsets(ctx, s.options.Topics...)
	if err != nil || s.options.Observer == nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.ordered {
		if l.phase == phaseGone {
			s.forgetLag(l)
			continue
		}
		end, ok := ends.Lookup(l.Topic, l.Partition)
		if !ok || end.Err != nil {
			continue
		}
		records := max(0, end.Offset-l.committed)
		s.options.Observer.Lag(l.Lane, records, l.lagSeconds(records, now))
		l.measured = true
	}
	return nil
}

// forgetLag says of a lane that another member has now that nothing waits here:
// what was said last would stand for ever, and the other member says the rest.
func (s *Source) forgetLag(l *lane) {
	l.behind = time.Time{}
	if l.measured {
		l.measured = false
		s.options.Observer.Lag(l.Lane, 0, 0)
	}
}

// lagSeconds is the age of the oldest record that is not committed; of one that
// is not here yet, for how long it has been missing.
func (l *lane) lagSeconds(records int64, now time.Time) float64 {
	if records == 0 {
		l.behind = time.Time{}
		return 0
	}
	if l.behind.IsZero() {
		l.behind = now
	}
	oldest := l.behind
	if l.timeNext > 0 && l.next == l.committed && len(l.queue) > 0 {
		oldest = l.queue[0].Record.Timestamp
	}
	return max(0, now.Sub(oldest).Seconds())
}

func (s *Source) compareTopics(details kadm.TopicDetails) error {
	for name, was := range s.topics {
		is, ok := details[name]
		if !ok || is.Err != nil && !errors.Is(is.Err, errUnknownTopic) {
			continue // The brokers are busy; the next look will tell.
		}
		switch {
		case is.Err != nil:
			return refuse("topic %s was deleted while group %s read it", name, s.options.Group)
		case [16]byte(is.ID) != was.id:
			return refuse("topic %s was made anew while it was read: offsets and state of group %s no longer mean anything", name, s.options.Group)
		case len(is.Partitions) != was.partitions:
			return refuse("topic %s has %d partitions and had %d: suites would change their partition; more partitions are a new topic, `connect-testengine state import --help` says how",
				name, len(is.Partitions), was.partitions)
		}
	}
	return nil
}
