package kafkalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/message/pause"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Group is a consumer group at a log, seen from outside: whoever holds it is no member.
type Group struct{ source *Source }

// Stand is where a group stands in a partition.
type Stand struct {
	Next int64
	// Time is T there, unix milliseconds; 0 is not known.
	Time  int64
	epoch int32
	logic string
}

// FindGroup looks for the topic that a group reads. The client is not closed.
func FindGroup(ctx context.Context, client *kgo.Client, group, topic string) (*Group, error) {
	s := &Source{options: Options{Group: group, Topics: []string{topic}}, side: client, lanes: make(map[string]map[int32]*lane)}
	if err := s.surveyTopics(ctx); err != nil {
		return nil, s.asRefusal(err)
	}
	return &Group{s}, nil
}

// Identity is the log that the group reads.
func (g *Group) Identity() testengine.LogIdentity { return g.source.identity }

// AwaitNobody waits until the group has no member. One that went without a word,
// as static members do, counts until its session is over.
func (g *Group) AwaitNobody(ctx context.Context) error {
	// What the brokers have said tells more than that time ran out over the next question.
	var held error
	for {
		found, err := kadm.NewClient(g.source.side).DescribeGroups(ctx, g.source.options.Group)
		if err == nil {
			err = found.Error()
		}
		members := len(found[g.source.options.Group].Members)
		switch {
		case err == nil && members == 0, errors.Is(err, kerr.GroupIDNotFound):
			return nil
		case err == nil:
			held = fmt.Errorf("it has %d members, which have to be stopped first", members)
		case held == nil:
			held = err
		}
		if !pause.For(ctx, longestPause) {
			return fmt.Errorf("waiting until nobody is in group %s: %w", g.source.options.Group, held)
		}
	}
}

// Begins are the first records that the partitions still have.
func (g *Group) Begins(ctx context.Context) (begins map[int]int64, err error) {
	begins = make(map[int]int64)
	for _, l := range g.source.ordered {
		if begins[l.Number], _, err = g.source.bounds(ctx, l); err != nil {
			return nil, err
		}
	}
	return begins, nil
}

// Stands is where the group stands, in every partition. With settled it waits
// until no transaction can move it any more.
func (g *Group) Stands(ctx context.Context, settled bool) (map[int]Stand, error) {
	for {
		stands, err := g.stands(ctx, settled)
		if err == nil || errors.Is(err, ErrRefused) || !kerr.IsRetriable(errors.Unwrap(err)) || !pause.For(ctx, longestPause) {
			return stands, err
		}
	}
}

func (g *Group) stands(ctx context.Context, settled bool) (map[int]Stand, error) {
	ask := g.source.committed
	if settled {
		ask = g.source.stable
	}
	committed, err := ask(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the committed offsets of group %s: %w", g.source.options.Group, err)
	}
	stands := make(map[int]Stand)
	for _, l := range g.source.ordered {
		c, ok := committed[l.Topic][l.Partition]
		if !ok {
			return nil, g.source.errNoCommit(l.Topic, l.Partition)
		}
		g.source.options.Version = c.note.Version // Whoever it belongs to.
		if err := g.source.checkNote(l, c); err != nil {
			return nil, err
		}
		stands[l.Number] = Stand{Next: c.at, Time: c.note.Time, epoch: c.epoch, logic: c.note.Logic}
	}
	return stands, nil
}

// Commit puts the group, which has no member, there, for that version of the
// pipeline: another one is refused from then on.
func (g *Group) Commit(ctx context.Context, version string, stands map[int]Stand) error {
	var offsets kadm.Offsets
	for _, l := range g.source.ordered {
		stand, ok := stands[l.Number]
		if !ok {
			return fmt.Errorf("committing for group %s: nobody says where %s begins", g.source.options.Group, l.Lane)
		}
		note := note{Log: g.source.topicID(l.Topic), Time: stand.Time, Logic: stand.logic, Version: version}
		epoch := stand.epoch
		if epoch == 0 {
			epoch = -1
		}
		offsets.Add(kadm.Offset{Topic: l.Topic, Partition: l.Partition, At: stand.Next, LeaderEpoch: epoch, Metadata: note.encode()})
	}
	if err := kadm.NewClient(g.source.side).CommitAllOffsets(ctx, g.source.options.Group, offsets); err != nil {
		return fmt.Errorf("committing for group %s: %w", g.source.options.Group, err)
	}
	return nil
}
