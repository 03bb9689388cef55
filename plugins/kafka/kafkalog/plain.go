package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/connect-testengine/connect-testengine/plugins/message/pause"
)

// runPlain is one session without transactions: offsets are committed after the
// acknowledgements, and a failed batch is handed out again before anything later.
func (s *Source) runPlain(ctx context.Context) error {
	client, err := s.join()
	if err != nil {
		return err
	}
	defer s.leave(client.Close)
	defer func() { s.drain(context.WithoutCancel(ctx), client, s.mine()) }()
	committed := time.Now()
	for ctx.Err() == nil {
		if err := s.breakage(); err != nil {
			return err
		}
		s.seek(client)
		if _, err := s.poll(ctx, client, min(idlePoll, s.options.CommitInterval)); err != nil {
			return err
		}
		s.nudge()
		if time.Since(committed) >= s.options.CommitInterval {
			committed = time.Now()
			if err := s.commitDone(ctx, client, s.mine()); err != nil {
				s.options.Logger.Warnf("Committing offsets of group %s, which is tried again, %s: %v", s.options.Group, s.uncommitted(), err)
			}
		}
	}
	return nil
}

// join makes the group's client.
func (s *Source) join() (*kgo.Client, error) {
	client, err := newClient(s.options.Client, s.memberOptions()...)
	if err != nil {
		return nil, fmt.Errorf("joining group %s: %w", s.options.Group, err)
	}
	s.mu.Lock()
	s.client, s.broken, s.member = client, nil, ""
	s.mu.Unlock()
	return client, nil
}

// nudge hands out what waited for a pause after a failure.
func (s *Source) nudge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.ordered {
		s.dispatch(l)
	}
}

// again puts a batch that failed in front of what came after it. State behind
// the lane goes back with it. mu is held.
func (s *Source) again(l *lane, b *Batch) {
	failures := l.failures + 1
	if l.phase != phaseReady {
		s.buffered -= b.bytes
		return // Another member does it again.
	}
	if s.options.Follower != nil {
		s.buffered -= b.bytes
		if s.client != nil {
			s.client.PauseFetchPartitions(map[string][]int32{l.Topic: {l.Partition}})
		}
		l.seeking = true
		s.bring(l, b.Entries[0].Record.Offset)
	} else {
		l.giveBack(b)
	}
	wait := backOff(failures)
	l.failures, l.retryAt = failures, time.Now().Add(wait)
	time.AfterFunc(wait, s.nudge)
}

// seek tells the client where lanes stand that went back by themselves.
func (s *Source) seek(client *kgo.Client) {
	to := make(offsets)
	s.mu.Lock()
	for _, l := range s.ordered {
		if !l.seeking || l.phase != phaseReady {
			continue
		}
		if to[l.Topic] == nil {
			to[l.Topic] = make(map[int32]kgo.EpochOffset)
		}
		to[l.Topic][l.Partition] = kgo.EpochOffset{Epoch: -1, Offset: l.next}
	}
	s.mu.Unlock()
	if len(to) == 0 {
		return
	}
	client.SetOffsets(to)
	resume := make(map[string][]int32)
	s.mu.Lock()
	for topic, partitions := range to {
		for partition := range partitions {
			s.lane(topic, partition).seeking = false
			resume[topic] = append(resume[topic], partition)
		}
	}
	s.mu.Unlock()
	client.ResumeFetchPartitions(resume)
}

// mine are the partitions that the source has.
func (s *Source) mine() map[string][]int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := make(map[string][]int32)
	for _, l := range s.ordered {
		if l.phase != phaseGone {
			mine[l.Topic] = append(mine[l.Topic], l.Partition)
		}
	}
	return mine
}

// drain lets the batches of these partitions come back, for a while, and commits
// what is done: the next owner begins there.
func (s *Source) drain(ctx context.Context, client *kgo.Client, partitions map[string][]int32) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Drain)
	defer cancel()
	s.mu.Lock()
	for topic, numbers := range partitions {
		for _, partition := range numbers {
			if l := s.lane(topic, partition); l != nil && l.phase == phaseReady {
				l.phase = phaseDraining
			}
		}
	}
	s.mu.Unlock()
	for s.anyBusy(partitions) && pause.For(ctx, firstPause) {
		continue
	}
	if err := s.commitDone(ctx, client, partitions); err != nil {
		s.options.Logger.Warnf("Committing offsets of group %s before its partitions go, so some records come again, %s: %v", s.options.Group, s.uncommitted(), err)
	}
}

// uncommitted says which lanes have done more than is committed.
func (s *Source) uncommitted() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lanes []*lane
	for _, l := range s.all() {
		if l.phase != phaseGone && l.next > l.committed {
			lanes = append(lanes, l)
		}
	}
	return places(lanes)
}

func (s *Source) anyBusy(partitions map[string][]int32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, numbers := range partitions {
		for _, partition := range numbers {
			if l := s.lane(topic, partition); l != nil && l.busy {
				return true
			}
		}
	}
	return false
}

// commitDone commits what is done of these partitions, and nothing that is not ahead of c.
func (s *Source) commitDone(ctx context.Context, client *kgo.Client, partitions map[string][]int32) error {
	done, err := s.lineUp(ctx)
	if err != nil {
		return err
	}
	defer done()
	to, notes := make(offsets), make(map[string]map[int32]string)
	as, err := s.membership(client)
	if err != nil {
		s.abandon(err)
		return err
	}
	s.mu.Lock()
	for topic, numbers := range partitions {
		for _, partition := range numbers {
			l := s.lane(topic, partition)
			if l == nil || l.phase == phaseGone || l.phase == phaseLoading || l.next <= l.committed {
				continue
			}
			if to[topic] == nil {
				to[topic], notes[topic] = make(map[int32]kgo.EpochOffset), make(map[int32]string)
			}
			to[topic][partition] = kgo.EpochOffset{Epoch: l.epoch, Offset: l.next}
			notes[topic][partition] = s.note(l).encode()
		}
	}
	s.mu.Unlock()
	if len(to) == 0 {
		return nil
	}
	if err := commitOffsets(ctx, client, as, to, notes); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, partitions := range to {
		for partition, at := range partitions {
			if l := s.lane(topic, partition); l.committed < at.Offset {
				l.committed = at.Offset
			}
		}
	}
	return nil
}

// lineUp waits until no other commit without a transaction is on its way. Whoever
// waits must not have put his together yet: one that was put together before an
// intent would take it back if it came after.
func (s *Source) lineUp(ctx context.Context) (done func(), err error) {
	select {
	case s.committing <- struct{}{}:
		return func() { <-s.committing }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the commit before: %w", ctx.Err())
	}
}

// membership is in what place of the group a client stands.
type membership struct {
	member     string
	generation int32
}

// errReplaced says that the group has taken the member out and in again. The
// client keeps what it was given before if it is given it again, without a word,
// but somebody else may have had it in between.
var errReplaced = errors.New("the group had this member out and took it in again as another")

// errRejoined says that the client has joined its group again while a commit
// waited. It would have gone out in the new generation, which may have given the
// lanes to somebody else meanwhile, so the brokers would not have fenced it.
var errRejoined = errors.New("the group was joined again before the commit")

func (s *Source) membership(client *kgo.Client) (m membership, err error) {
	m.member, m.generation = client.GroupMetadata()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.member != "" && m.member != s.member {
		return m, errReplaced
	}
	return m, nil
}

// commitOffsets commits synchronously, fenced by the group's generation: that in
// which whoever commits has last seen that the lanes are its own.
func commitOffsets(ctx context.Context, client *kgo.Client, as membership, to offsets, notes map[string]map[int32]string) (err error) {
	ctx = kgo.PreCommitFnContext(ctx, func(r *kmsg.OffsetCommitRequest) error {
		if r.MemberID != as.member || r.Generation != as.generation {
			return errRejoined
		}
		for i := range r.Topics {
			for j := range r.Topics[i].Partitions {
				note := notes[r.Topics[i].Topic][r.Topics[i].Partitions[j].Partition]
				r.Topics[i].Partitions[j].Metadata = &note
			}
		}
		return nil
	})
	client.CommitOffsetsSync(ctx, to, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, response *kmsg.OffsetCommitResponse, failure error) {
		if err = failure; err != nil || response == nil {
			return
		}
		for _, topic := range response.Topics {
			for _, p := range topic.Partitions {
				if failed := kerr.ErrorForCode(p.ErrorCode); failed != nil {
					err = errors.Join(err, fmt.Errorf("topic %s partition %d: %w", topic.Topic, p.Partition, failed))
				}
			}
		}
	})
	return err
}
