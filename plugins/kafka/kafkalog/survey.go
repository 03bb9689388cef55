package kafkalog

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// survey asks the brokers what there is and refuses what cannot go well.
func (s *Source) survey(ctx context.Context) error {
	if s.options.Transaction != nil {
		if err := CheckBrokers(ctx, s.side, true); err != nil {
			return err
		}
	}
	if err := s.surveyTopics(ctx); err != nil {
		return err
	}
	if err := s.surveyTimes(ctx); err != nil {
		return err
	}
	// Not the stable ones: a predecessor's open transaction would hold us back, and
	// it is our own joining that ends it.
	committed, err := s.committed(ctx)
	if err != nil {
		return fmt.Errorf("reading the committed offsets of group %s: %w", s.options.Group, err)
	}
	for _, l := range s.ordered {
		c, ok := committed[l.Topic][l.Partition]
		if !ok {
			return s.errNoCommit(l.Topic, l.Partition)
		}
		if err := s.checkNote(l, c); err != nil {
			return err
		}
	}
	return nil
}

func (s *Source) surveyTopics(ctx context.Context) error {
	all, err := FindTopics(ctx, s.side, false, s.options.Topics...)
	if err != nil {
		return err
	}
	if s.options.Follower != nil && s.options.Tick != nil {
		if _, err := FindTopics(ctx, s.side, true, s.options.Topics...); err != nil {
			return fmt.Errorf("%w, to which ticks are appended when a timer of the state is due", err)
		}
	}
	s.topics = make(map[string]topic)
	var names []string
	for _, name := range s.options.Topics {
		found := all[name]
		s.topics[name] = topic{id: found.ID, partitions: found.Partitions, first: len(s.ordered)}
		s.lanes[name] = make(map[int32]*lane)
		for partition := range int32(found.Partitions) {
			l := newLane(Lane{Topic: name, Partition: partition, Number: len(s.ordered)})
			l.created = s.options.CreatedTimes
			s.lanes[name][partition] = l
			s.ordered = append(s.ordered, l)
		}
		names = append(names, s.topicID(name))
	}
	s.identity = testengine.LogIdentity{ID: names[0], Partitions: len(s.ordered)}
	if len(names) > 1 {
		slices.Sort(names)
		s.identity.ID = fmt.Sprintf("%016x", testengine.Hash(0, fmt.Sprint(names)))
	}
	return nil
}

// topicID is the topic's id as the brokers' tools print it.
func (s *Source) topicID(name string) string {
	id := s.topics[name].id
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// commit is what the group has committed for a partition.
type commit struct {
	at    int64
	epoch int32
	note  note
	err   error // a transaction may still move it: ask again
}

// stable reads c of every partition of the log. While a transaction may still
// move one, the error of its commit says so.
func (s *Source) stable(ctx context.Context) (map[string]map[int32]commit, error) {
	return s.committed(kadm.RequireStable(ctx))
}

// unnamed is the topic of committed offsets that the client has no name for.
const unnamed = ""

// committed reads what was committed last for every partition of the log. A
// partition without an offset is missing.
//
// Brokers from Kafka 4.2 on answer with topics' ids. The client forgets names when
// leaders move; that a topic of ours is missing beside one without a name says
// nothing, and is an error that goes away.
func (s *Source) committed(ctx context.Context) (map[string]map[int32]commit, error) {
	found, err := kadm.NewClient(s.side).FetchOffsets(ctx, s.options.Group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, topic := range s.options.Topics {
		if len(found[topic]) == 0 && len(found[unnamed]) > 0 {
			return nil, fmt.Errorf("some offsets come without their topic's name, perhaps those of %s: %w", topic, kerr.UnknownTopicID)
		}
	}
	committed := make(map[string]map[int32]commit)
	for topic, partitions := range found {
		for partition, c := range partitions {
			if c.Err == nil && c.At < 0 {
				continue
			}
			if committed[topic] == nil {
				committed[topic] = make(map[int32]commit)
			}
			committed[topic][partition] = commit{at: c.At, epoch: c.LeaderEpoch, note: decodeNote(c.Metadata), err: c.Err}
		}
	}
	return committed, nil
}

// checkNote refuses an offset that was committed for another topic of that name,
// or for another version of the pipeline.
func (s *Source) checkNote(l *lane, c commit) error {
	if c.err != nil {
		return fmt.Errorf("reading the committed offset of %s: %w", l.Lane, c.err)
	}
	if c.note.Log != "" && c.note.Log != s.topicID(l.Topic) {
		return refuse("topic %s was made anew: group %s has committed offset %d for its predecessor %s, and the topic is %s now; "+
			"give the group another name or commit where it is to begin", l.Topic, s.options.Group, c.at, c.note.Log, s.topicID(l.Topic))
	}
	if c.note.Log != "" && c.note.Version != s.options.Version {
		return refuse("group %s belongs to version %q of the pipeline from offset %d of %s on, and this is version %q: `connect-testengine state handover` gives it over",
			s.options.Group, c.note.Version, c.at, l.Lane, s.options.Version)
	}
	return nil
}

// bounds are the first offset of the lane's partition and the one behind its last.
func (s *Source) bounds(ctx context.Context, l *lane) (begin, end int64, err error) {
	admin := kadm.NewClient(s.side)
	starts, err := admin.ListStartOffsets(ctx, l.Topic)
	if err != nil {
		return 0, 0, fmt.Errorf("asking where %s begins: %w", l.Lane, err)
	}
	ends, err := admin.ListEndOffsets(ctx, l.Topic)
	if err != nil {
		return 0, 0, fmt.Errorf("asking where %s ends: %w", l.Lane, err)
	}
	first, ok := starts.Lookup(l.Topic, l.Partition)
	last, ok2 := ends.Lookup(l.Topic, l.Partition)
	if err := errors.Join(first.Err, last.Err); err != nil {
		return 0, 0, fmt.Errorf("asking where %s begins and ends: %w", l.Lane, err)
	}
	if !ok || !ok2 {
		return 0, 0, fmt.Errorf("the brokers do not say where %s begins and ends", l.Lane)
	}
	return first.Offset, last.Offset, nil
}
