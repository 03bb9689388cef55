package kafkalog

import (
	"context"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

var errUnknownTopic error = kerr.UnknownTopicOrPartition

// Headers of a dead letter beside those of the record itself.
const (
	headerReason    = "dead_letter_reason"
	headerTopic     = "dead_letter_topic"
	headerPartition = "dead_letter_partition"
	headerOffset    = "dead_letter_offset"
	headerCut       = "dead_letter_cut" // how many bytes of the value are left out
)

// deadLetterRoom is how much of a record limit headers and key may take.
const deadLetterRoom = 16 << 10

// DeadLetter makes the record that goes to the dead letters for a record: its
// key, headers and value, and where it came from. A value beyond limit bytes is cut.
func DeadLetter(topic string, r *kgo.Record, reason string, limit int) *kgo.Record {
	letter := &kgo.Record{Topic: topic, Partition: -1, Key: r.Key, Value: r.Value}
	letter.Headers = append(letter.Headers, r.Headers...)
	letter.Headers = append(letter.Headers,
		kgo.RecordHeader{Key: headerReason, Value: []byte(reason)},
		kgo.RecordHeader{Key: headerTopic, Value: []byte(r.Topic)},
		kgo.RecordHeader{Key: headerPartition, Value: strconv.AppendInt(nil, int64(r.Partition), 10)},
		kgo.RecordHeader{Key: headerOffset, Value: strconv.AppendInt(nil, r.Offset, 10)})
	if over := len(letter.Value) - (limit - deadLetterRoom); limit > 0 && over > 0 {
		letter.Value = letter.Value[:len(letter.Value)-over]
		letter.Headers = append(letter.Headers, kgo.RecordHeader{Key: headerCut, Value: strconv.AppendInt(nil, int64(over), 10)})
	}
	return letter
}

// DeadLetter sends the batch's record i to the dead letters: it is bad for ever,
// and the stream goes on. class is a word for the metrics. A silent batch's
// record is there already.
func (b *Batch) DeadLetter(ctx context.Context, i int, class, reason string) error {
	if b.Silent {
		return nil
	}
	s, r := b.source, b.Entries[i].Record
	s.options.Logger.Errorf("A record goes to the dead letters, topic %s partition %d offset %d: %s", r.Topic, r.Partition, r.Offset, reason)
	if s.options.Observer != nil {
		s.options.Observer.DeadLetter(class)
	}
	if s.options.DeadLetters == "" {
		return nil
	}
	letter := DeadLetter(s.options.DeadLetters, r, reason, s.options.RecordBytes)
	if t := s.options.Transaction; t != nil {
		return t.Produce(b.Cycle, b.Lane.Number, letter, nil)
	}
	if err := s.side.ProduceSync(ctx, letter).FirstErr(); err != nil {
		return fmt.Errorf("writing a dead letter of topic %s partition %d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	return nil
}

// Misplaced says why a record does not belong to its partition; "" is nothing.
func (s *Source) Misplaced(r *kgo.Record) string {
	if !s.options.CheckKeys || s.options.Keyless != nil && s.options.Keyless(r) {
		return ""
	}
	if len(r.Key) == 0 {
		return "the record has no key"
	}
	if at := s.partition(r, s.topics[r.Topic].partitions); at != int(r.Partition) {
		return fmt.Sprintf("the key %q belongs to partition %d", r.Key, at)
	}
	return ""
}

// keyPartition is where Kafka's clients put a key.
func keyPartition() func(*kgo.Record, int) int {
	return kgo.StickyKeyPartitioner(nil).ForTopic("").Partition
}

// KeyPartition is the partition of a record's key in a topic of n partitions.
// A record without a key goes to any.
func KeyPartition(r *kgo.Record, n int) int { return keyPartition()(r, n) }

// Placed is a partitioner that keeps a record's own partition, and goes by its
// key when that is negative.
func Placed() kgo.Partitioner { return placed{kgo.StickyKeyPartitioner(nil)} }

type placed struct{ byKey kgo.Partitioner }

func (p placed) ForTopic(topic string) kgo.TopicPartitioner {
	return placedTopic{p.byKey.ForTopic(topic)}
}

type placedTopic struct{ kgo.TopicPartitioner }

func (placedTopic) RequiresConsistency(*kgo.Record) bool { return true }

func (p placedTopic) Partition(r *kgo.Record, n int) int {
	if r.Partition >= 0 {
		return int(r.Partition)
	}
	return p.TopicPartitioner.Partition(r, n)
}
