package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// T decides what is due, so nobody may move it by a wrong clock: it would stand
// ahead of all records to come, and never go back. A broker's stamp is what
// moves it. It stands in the record, so that a replay sees the same.

// timeOf moves T by a record and returns the record's Entry.Time.
func (l *lane) timeOf(r *kgo.Record) int64 {
	at := r.Timestamp.UnixMilli()
	switch {
	case r.Attrs.IsControl(): // A replay may begin behind a marker, and T must be the same.
		return l.time
	case l.created, stamped(r):
		l.time = max(l.time, at)
		return l.time
	}
	return max(l.time, at)
}

// stamped says that the broker has put its own time in place of the writer's.
func stamped(r *kgo.Record) bool { return r.Attrs.TimestampType() == 1 }

// checkTime refuses a record that no broker has stamped where state goes by T.
func (s *Source) checkTime(r *kgo.Record) error {
	if s.options.Follower == nil || s.options.CreatedTimes || r.Attrs.IsControl() || stamped(r) {
		return nil
	}
	return refuse("topic %s partition %d: record %d has the time that its writer gave it, %s, and %s",
		r.Topic, r.Partition, r.Offset, r.Timestamp.UTC().Format(time.RFC3339), unstamped)
}

// unstamped is the reason of a refusal, and what is to be done.
const unstamped = "state goes by the time of the brokers: set " + timeType + "=" + timeAppended + " on the topic, or `log_time: created` if writers are to be believed"

// Settings of a topic, as brokers name them.
const (
	timeType     = "message.timestamp.type"
	timeAppended = "LogAppendTime"
	timeAhead    = "message.timestamp.after.max.ms"
)

// mostAhead is how far the brokers may let a writer's clock be ahead of theirs
// where state goes by it.
const mostAhead = 24 * time.Hour

// surveyTimes refuses a topic whose records do not have the times that state can
// go by, before the first record tells.
func (s *Source) surveyTimes(ctx context.Context) error {
	if s.options.Follower == nil {
		return nil
	}
	for _, name := range s.options.Topics {
		settings, err := TopicSettings(ctx, kadm.NewClient(s.side), name)
		switch {
		case err != nil && forbidden(err) && !s.options.CreatedTimes:
			continue // Each record tells.
		case err != nil && forbidden(err):
			return refuse("the brokers deny the right to describe the settings of topic %s: without it `log_time: created` cannot be trusted", name)
		case err != nil:
			return err
		}
		if err := s.checkTimes(name, settings); err != nil {
			return err
		}
	}
	return nil
}

func (s *Source) checkTimes(topic string, settings map[string]string) error {
	if settings[timeType] == timeAppended {
		return nil
	}
	if !s.options.CreatedTimes {
		return refuse("topic %s has %s=%s, and %s", topic, timeType, settings[timeType], unstamped)
	}
	ahead, err := strconv.ParseInt(settings[timeAhead], 10, 64)
	if err != nil || ahead > mostAhead.Milliseconds() {
		return refuse("topic %s takes records of any future: one writer with a wrong clock would move the time of its state for ever; set %s (Kafka 3.6) to %d or less, or %s=%s",
			topic, timeAhead, mostAhead.Milliseconds(), timeType, timeAppended)
	}
	return nil
}

// TopicSettings asks the brokers for the settings of a topic.
func TopicSettings(ctx context.Context, admin *kadm.Client, topic string) (map[string]string, error) {
	described, err := admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("asking the brokers for the settings of topic %s: %w", topic, err)
	}
	found, err := described.On(topic, nil)
	if err = errors.Join(err, found.Err); err != nil {
		return nil, fmt.Errorf("asking the brokers for the settings of topic %s: %w", topic, err)
	}
	settings := make(map[string]string, len(found.Configs))
	for _, config := range found.Configs {
		settings[config.Key] = config.MaybeValue()
	}
	return settings, nil
}

// timeAt is T at an offset as far as the commit tells: it says what T is at its own.
// Somebody else may have committed meanwhile, further on than a lane stands.
func (c *commit) timeAt(offset int64) int64 {
	if offset < c.at {
		return 0
	}
	return c.note.Time
}

// timeAt is T at next, from where the lane's state is to be brought on.
func (s *Source) timeAt(l *lane, next int64, known commit) (at int64) {
	at = known.timeAt(next)
	if keeper, ok := s.options.Follower.(testengine.Timekeeper); ok {
		at = max(at, keeper.Time(l.Number))
	}
	return at
}
