package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// fetchWait is how long a broker may wait for new records: a partition that is
// resumed meanwhile is not asked for before.
const fetchWait = 200 * time.Millisecond

// memberOptions make a client the group's member, in a session of its own: what
// the clients of older ones still have to say is not heard.
func (s *Source) memberOptions() []kgo.Opt {
	o := s.options
	s.mu.Lock()
	s.session++
	m := member{source: s, session: s.session}
	s.mu.Unlock()
	options := []kgo.Opt{
		kgo.ConsumerGroup(o.Group), kgo.ConsumeTopics(o.Topics...),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(o.SessionTimeout), kgo.HeartbeatInterval(o.SessionTimeout / 4), kgo.RebalanceTimeout(o.RebalanceTimeout),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.DisableAutoCommit(), kgo.FetchMaxWait(fetchWait), kgo.FetchMaxBytes(o.FetchBytes), kgo.FetchMaxPartitionBytes(o.FetchPartitionBytes),
		kgo.OnPartitionsAssigned(m.assigned), kgo.OnPartitionsRevoked(m.revoked), kgo.OnPartitionsLost(m.lost),
		kgo.AdjustFetchOffsetsFn(m.fetched), kgo.WithDecompressor(newUnpacker()),
	}
	if o.InstanceID != "" {
		options = append(options, kgo.InstanceID(o.InstanceID))
	}
	return options
}

// member hears what the group does with one session.
type member struct {
	source  *Source
	session int
}

// assigned pauses new partitions until their lanes stand at c: the only use of pausing.
func (m member) assigned(_ context.Context, client *kgo.Client, partitions map[string][]int32) {
	client.PauseFetchPartitions(partitions)
	s := m.source
	id, _ := client.GroupMetadata()
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.session == s.session {
		if s.member == "" {
			s.member = id
		}
		s.client, s.moved = client, true
	}
}

// fetched learns from where the client will read new partitions, which is c, and
// brings their lanes there.
func (m member) fetched(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	s := m.source
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.session != s.session {
		return offsets, nil
	}
	for topic, partitions := range offsets {
		for partition, offset := range partitions {
			l := s.lane(topic, partition)
			if l == nil {
				s.refuseSoon(refuse("topic %s has a partition %d that it did not have at the start: more partitions are a new generation of the topic", topic, partition))
				continue
			}
			at := offset.EpochOffset()
			if at.Offset < 0 {
				s.refuseSoon(s.errNoCommit(topic, partition))
				continue
			}
			s.bring(l, at.Offset)
		}
	}
	return offsets, nil
}

// errNoCommit is the sentence for a group that begins nowhere: it would poll
// nothing and name no cause.
func (s *Source) errNoCommit(topic string, partition int32) error {
	return refuse("group %s has no committed offset in topic %s partition %d: `connect-testengine topics create` commits 0 for a new group; "+
		"if there was one before, it has expired, and going on from anywhere would lose or double records", s.options.Group, topic, partition)
}

// refuseSoon refuses from a callback that holds mu.
func (s *Source) refuseSoon(err error) { go s.refuse(err) }

// revoked gives partitions back. The session aborts the cycle by itself.
func (m member) revoked(ctx context.Context, client *kgo.Client, partitions map[string][]int32) {
	if s := m.source; s.options.Transaction == nil && s.present(m.session) {
		s.drain(ctx, client, partitions)
	}
	m.lost(ctx, client, partitions)
}

func (s *Source) present(session int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.session == session
}

// lost takes note of partitions that another member may have already.
func (m member) lost(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	s := m.source
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.session != s.session {
		return
	}
	for topic, numbers := range partitions {
		for _, partition := range numbers {
			if l := s.lane(topic, partition); l != nil {
				s.release(l)
			}
		}
	}
	if s.cycle != 0 {
		s.doom(errMoved)
	}
	s.moved = true
	signal(s.changed)
}

// release forgets that the lane is ours. Its batch may still be out. mu is held.
func (s *Source) release(l *lane) {
	s.outbox = slices.DeleteFunc(s.outbox, func(b *Batch) bool {
		if b.of != l || b.settled != nil {
			return false
		}
		s.unhand(b)
		return true
	})
	s.buffered -= l.drop()
	l.phase, l.seeking = phaseGone, false
	l.load++
	l.limit, l.suspect, l.failures = 0, -1, 0
}

func (s *Source) lane(topic string, partition int32) *lane { return s.lanes[topic][partition] }

// all are the lanes of the log, in the order of their numbers.
func (s *Source) all() []*lane { return s.ordered }

// rewind reads c from the brokers and brings every lane of ours to it: after
// anything but a clean commit nobody else knows where it is.
func (s *Source) rewind(ctx context.Context, client *kgo.Client) error {
	committed, err := s.stable(ctx)
	if err != nil {
		return fmt.Errorf("reading the committed offsets: %w", err)
	}
	ours := client.CommittedOffsets()
	seek, err := s.rewindLanes(client, committed, ours)
	if err != nil {
		return err
	}
	// Not under mu: the client may be in one of our callbacks.
	client.SetOffsets(seek)
	return nil
}

type offsets map[string]map[int32]kgo.EpochOffset

func (s *Source) rewindLanes(client *kgo.Client, committed map[string]map[int32]commit, ours offsets) (offsets, error) {
	seek := make(offsets)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.all() {
		if l.phase != phaseReady {
			continue // It is on its way, or gone.
		}
		if _, ok := ours[l.Topic][l.Partition]; !ok {
			s.release(l) // A second revoke in a cycle is not delivered.
			continue
		}
		c, ok := committed[l.Topic][l.Partition]
		if !ok {
			return nil, s.errNoCommit(l.Topic, l.Partition)
		}
		if err := s.checkNote(l, c); err != nil {
			return nil, err
		}
		s.buffered -= l.drop()
		l.polled = c.at
		if seek[l.Topic] == nil {
			seek[l.Topic] = make(map[int32]kgo.EpochOffset)
		}
		seek[l.Topic][l.Partition] = kgo.EpochOffset{Epoch: c.epoch, Offset: c.at}
		if !l.clean || l.next != c.at {
			client.PauseFetchPartitions(map[string][]int32{l.Topic: {l.Partition}})
			s.bring(l, c.at)
		}
	}
	return seek, nil
}

// pollError sorts what a poll may report; nil is nothing to stop for.
func (s *Source) pollError(topic string, partition int32, err error) error {
	var lost *kgo.ErrDataLoss
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return nil
	case errors.Is(err, kerr.OffsetOutOfRange), errors.As(err, &lost):
		return refuse("topic %s partition %d no longer has what group %s needs next; its retention is shorter than the group's delay, or the topic was made anew: %v",
			topic, partition, s.options.Group, err)
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID):
		return refuse("topic %s was deleted or made anew while it was read, so offsets and state of group %s no longer mean anything: %v", topic, s.options.Group, err)
	case fenced(err), forbidden(err):
		return err
	}
	l := s.lane(topic, partition)
	if l == nil { // It is the session's, and of no partition.
		s.options.Logger.Warnf("Polling for group %s: %v", s.options.Group, err)
		return nil
	}
	s.options.Logger.Warnf("Polling topic %s partition %d at offset %d: %v", topic, partition, s.polled(l), err)
	return nil
}
