package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog"
	"github.com/connect-testengine/connect-testengine/plugins/kafka/topics"
	"github.com/connect-testengine/connect-testengine/plugins/message/pause"
)

// slowestSweep is how long a broker may leave dead transactions standing before CreateTopics says so, in milliseconds.
const slowestSweep = 1000

const sweepSetting = "transaction.abort.timed.out.transaction.cleanup.interval.ms"

// CreateTopics makes the topics that are missing, refuses those that are
// different with one sentence and before it makes any, and commits the first
// offset for groups that have none. It writes a line for each thing done, or
// found as it should be, to out. Running it again changes nothing.
func CreateTopics(ctx context.Context, client *kgo.Client, settings topics.Settings, out io.Writer) error {
	admin := kadm.NewClient(client)
	found, err := describeTopics(ctx, admin, settings)
	if err != nil {
		return err
	}
	for _, topic := range settings.Topics {
		there, exists := found[topic.Name]
		if differences := settings.Differences(topic, there); exists && len(differences) > 0 {
			return fmt.Errorf("topic %s is not as it should be: %s; change the topic, or the topics file, and nothing has been changed yet",
				topic.Name, strings.Join(differences, ", "))
		}
	}
	for _, topic := range settings.Topics {
		if _, exists := found[topic.Name]; exists {
			_, _ = fmt.Fprintf(out, "topic %s is as it should be\n", topic.Name)
			continue
		}
		if err := createTopic(ctx, admin, settings, topic); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(out, "topic %s made: %d partitions, %d replicas\n", topic.Name, settings.Partitions, settings.Replication)
	}
	for _, group := range settings.Groups {
		for _, topic := range group.Topics {
			err := patiently(ctx, func() error { return beginGroup(ctx, admin, group.Name, topic, out) })
			if err != nil {
				return err
			}
		}
	}
	return warnOfSlowSweep(ctx, admin, out)
}

// patiently repeats what a broker could not answer yet: a topic just made has
// no leader for a moment, and a new cluster no coordinator. The context ends it.
func patiently(ctx context.Context, do func() error) error {
	for {
		err := do()
		if err == nil || !kerr.IsRetriable(err) || !pause.For(ctx, 200*time.Millisecond) {
			return err
		}
	}
}

// describeTopics returns those of the topics that exist.
func describeTopics(ctx context.Context, admin *kadm.Client, settings topics.Settings) (map[string]topics.Found, error) {
	names := make([]string, 0, len(settings.Topics))
	for _, topic := range settings.Topics {
		names = append(names, topic.Name)
	}
	details, err := admin.ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("asking the brokers for their topics: %w", err)
	}
	found := map[string]topics.Found{}
	for name, detail := range details {
		if errors.Is(detail.Err, kerr.UnknownTopicOrPartition) {
			continue
		}
		if detail.Err != nil {
			return nil, fmt.Errorf("asking the brokers for topic %s: %w", name, detail.Err)
		}
		configs, err := kafkalog.TopicSettings(ctx, admin, name)
		if err != nil {
			return nil, err
		}
		found[name] = topics.Found{
			Partitions: len(detail.Partitions), Replication: detail.Partitions.NumReplicas(), Configs: configs,
		}
	}
	return found, nil
}

func createTopic(ctx context.Context, admin *kadm.Client, settings topics.Settings, topic topics.Topic) error {
	configs := map[string]*string{}
	for key, value := range settings.Configs(topic) {
		configs[key] = &value
	}
	created, err := admin.CreateTopic(ctx, int32(settings.Partitions), int16(settings.Replication), configs, topic.Name)
	if err != nil {
		if created.ErrMessage != "" {
			err = fmt.Errorf("%w: %s", err, created.ErrMessage)
		}
		return fmt.Errorf("making topic %s: %w", topic.Name, err)
	}
	return nil
}

// beginGroup commits the log's first offset for partitions of which the group
// has none. It is 0 in a new topic; in an older one kafka_stateful refuses to
// start empty and names the command that decides.
func beginGroup(ctx context.Context, admin *kadm.Client, group, topic string, out io.Writer) error {
	begins, err := admin.ListStartOffsets(ctx, topic)
	if err = errors.Join(err, begins.Error()); err != nil {
		return fmt.Errorf("asking where topic %s begins: %w", topic, err)
	}
	committed, err := admin.FetchOffsetsForTopics(ctx, group, topic)
	if err = errors.Join(err, committed.Error()); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("asking for the offsets of group %s on %s: %w", group, topic, err)
	}
	begin, has := map[int32]int64{}, map[int32]int64{}
	begins.Each(func(o kadm.ListedOffset) { begin[o.Partition] = o.Offset })
	committed.Each(func(o kadm.OffsetResponse) {
		if o.At >= 0 {
			has[o.Partition] = o.At
		}
	})
	missing := topics.Beginnings(begin, has)
	if len(missing) == 0 {
		_, _ = fmt.Fprintf(out, "group %s has its offsets on %s\n", group, topic)
		return nil
	}
	offsets := kadm.Offsets{}
	for partition, at := range missing {
		offsets.AddOffset(topic, partition, at, -1)
	}
	if err := admin.CommitAllOffsets(ctx, group, offsets); err != nil {
		return fmt.Errorf("committing the first offsets of group %s on %s, which nobody may be reading meanwhile: %w", group, topic, err)
	}
	_, _ = fmt.Fprintf(out, "group %s begins at the start of %s, %d partitions\n", group, topic, len(missing))
	return nil
}

// warnOfSlowSweep says when readers of read_committed wait long for the
// transactions of a worker that died. A broker that does not tell is no error.
func warnOfSlowSweep(ctx context.Context, admin *kadm.Client, out io.Writer) error {
	brokers, err := admin.ListBrokers(ctx)
	if err != nil {
		return fmt.Errorf("asking for the brokers: %w", err)
	}
	configs, err := admin.DescribeBrokerConfigs(ctx, brokers.NodeIDs()...)
	if err != nil {
		_, _ = fmt.Fprintf(out, "note: the brokers do not tell %s (%v)\n", sweepSetting, err)
		return nil
	}
	for _, broker := range configs {
		for _, config := range broker.Configs {
			if sweep, err := strconv.Atoi(config.MaybeValue()); config.Key == sweepSetting && err == nil && sweep > slowestSweep {
				_, _ = fmt.Fprintf(out, "note: broker %s sweeps dead transactions every %d s; after a crash of a worker another takes over, and readers "+
					"go on, that much later. Set %s=%d on the brokers.\n", broker.Name, sweep/1000, sweepSetting, slowestSweep)
			}
		}
	}
	return nil
}
