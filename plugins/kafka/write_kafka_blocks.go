package kafka

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// recordOverhead is what Kafka's framing may add to a record, and more.
const recordOverhead = 128

// blockWriter turns the messages of one batch into records.
type blockWriter struct {
	out     *kafkaBlocks
	ctx     context.Context //nolint:containedctx // The writer lives as long as one WriteBatch.
	records []*kgo.Record   // without a transaction: to write at the end
	buffers []*[]byte
	count   int64
}

// add writes a message's records, or its dead letter. An error is the batch's.
func (w *blockWriter) add(m *service.Message) error {
	defer message.Died(w.out.log, "kafka_blocks", m)
	topic, err := w.out.topicOf(m)
	if err != nil {
		return w.bury(m, "topic", err)
	}
	if topic == "" {
		return nil
	}
	record := &kgo.Record{Topic: topic, Partition: -1}
	buffer, err := w.out.encode(m, record)
	if err != nil {
		return w.bury(m, "schema", err)
	}
	everywhere := message.Kind(m) == testengine.KindChange && message.Text(m, testengine.MetaSuite) == ""
	if !everywhere {
		if record.Key, err = w.out.keyOf(m); err != nil {
			return w.bury(m, "key", err)
		}
	}
	if size := sizeOfRecord(record); size > w.out.producer.recordBytes {
		w.out.release(buffer)
		return w.bury(m, "size", fmt.Errorf("it has %d bytes as a record of topic %s, max_message_bytes is %d", size, topic, w.out.producer.recordBytes))
	}
	if everywhere {
		return w.everywhere(m, record)
	}
	if w.out.config.copartition {
		partition, ok := message.Int(m, testengine.MetaPartition)
		if !ok {
			return w.bury(m, "partition", fmt.Errorf("copartition needs the metadata %s", testengine.MetaPartition))
		}
		record.Partition = int32(partition)
	}
	return w.put(m, record, buffer)
}

// everywhere writes a change that concerns every suite to every partition.
func (w *blockWriter) everywhere(m *service.Message, record *kgo.Record) error {
	n, err := w.out.partitionsOf(w.ctx, record.Topic)
	if err != nil {
		return err
	}
	for partition := range n {
		one := *record
		one.Partition = int32(partition)
		if err := w.put(m, &one, nil); err != nil {
			return err
		}
	}
	return nil
}

// put hands one record on.
func (w *blockWriter) put(m *service.Message, record *kgo.Record, buffer *[]byte) error {
	w.count++
	if t := w.out.transaction; t != nil {
		cycle, _ := message.Int(m, testengine.MetaCycle)
		lane, _ := message.Int(m, testengine.MetaPartition)
		return t.Produce(cycle, int(lane), record, func() { w.out.release(buffer) })
	}
	if record.Partition < 0 {
		n, err := w.out.partitionsOf(w.ctx, record.Topic)
		if err != nil {
			return err
		}
		record.Partition = int32(kafkalog.KeyPartition(record, n))
	}
	w.records = append(w.records, record)
	if buffer != nil {
		w.buffers = append(w.buffers, buffer)
	}
	return nil
}

// finish waits until everything is written, without a transaction.
func (w *blockWriter) finish() error {
	if w.out.transaction == nil {
		if err := w.out.writer.Write(w.ctx, w.records); err != nil {
			return err // The buffers may still be on their way.
		}
		for _, buffer := range w.buffers {
			w.out.release(buffer)
		}
	}
	w.out.records.Incr(w.count)
	return nil
}

// bury sends a message that never can be written to the dead letters.
func (w *blockWriter) bury(m *service.Message, class string, why error) error {
	out := w.out
	from := &kgo.Record{Topic: message.Text(m, testengine.MetaTopic)}
	partition, _ := message.Int(m, testengine.MetaPartition)
	from.Partition = int32(partition)
	from.Offset, _ = message.Int(m, testengine.MetaOffset)
	out.mgr.Logger().Errorf("A message cannot be written and goes to the dead letters, kind %q of topic %s partition %d offset %d: %v",
		message.Kind(m), from.Topic, from.Partition, from.Offset, why)
	out.dead.Incr(1, class)
	if out.config.deadLetters == "" {
		return nil
	}
	from.Value, _ = m.AsBytes() // What cannot be said is left out.
	from.Key = []byte(message.Text(m, testengine.MetaOrg) + "/" + message.Text(m, testengine.MetaSuite))
	from.Headers = []kgo.RecordHeader{{Key: testengine.MetaKind, Value: []byte(message.Kind(m))}}
	return w.put(m, kafkalog.DeadLetter(out.config.deadLetters, from, why.Error(), out.producer.recordBytes), nil)
}

// topicOf is where the message goes; "" is nowhere.
func (out *kafkaBlocks) topicOf(m *service.Message) (string, error) {
	if topic, ok := out.config.topics[string(message.Kind(m))]; ok {
		return topic, nil
	}
	if out.config.topic == nil {
		return "", nil
	}
	return out.config.topic.TryString(m)
}

func (out *kafkaBlocks) keyOf(m *service.Message) ([]byte, error) {
	if out.config.key != nil {
		return out.config.key.TryBytes(m)
	}
	org, suite := message.Text(m, testengine.MetaOrg), message.Text(m, testengine.MetaSuite)
	if org == "" && suite == "" {
		return nil, nil
	}
	return []byte(org + "/" + suite), nil
}

// encode sets the record's value and headers. The buffer, if there is one, is
// free when the record is written.
func (out *kafkaBlocks) encode(m *service.Message, record *kgo.Record) (buffer *[]byte, err error) {
	if out.codec == nil || !hasSchema(message.Kind(m)) {
		record.Headers = rawHeaders(m)
		record.Value, err = m.AsBytes()
		return nil, err
	}
	kind := message.Kind(m)
	record.Headers = append(record.Headers, kgo.RecordHeader{Key: testengine.MetaKind, Value: []byte(kind)})
	if kind == testengine.KindBlock {
		if block, err := message.Get[testengine.Block](m); err == nil {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: headerRows, Value: strconv.AppendInt(nil, int64(len(block.Executions)), 10)})
		}
	}
	made, err := message.ToRecord(m)
	if err != nil {
		return nil, err
	}
	var ok bool
	if buffer, ok = out.buffers.Get().(*[]byte); !ok {
		buffer = new([]byte)
	}
	record.Value, err = out.codec.Append((*buffer)[:0], made)
	*buffer = record.Value
	return buffer, err
}

func (out *kafkaBlocks) release(buffer *[]byte) {
	if buffer != nil {
		out.buffers.Put(buffer)
	}
}

// rawHeaders are the message's metadata, without what the log gives.
func rawHeaders(m *service.Message) (headers []kgo.RecordHeader) {
	_ = m.MetaWalkMut(func(key string, _ any) error {
		if !ours[key] && !strings.HasPrefix(key, metaPrefix) {
			headers = append(headers, kgo.RecordHeader{Key: key, Value: []byte(message.Text(m, key))})
		}
		return nil
	})
	return headers
}

func sizeOfRecord(r *kgo.Record) int {
	size := recordOverhead + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		size += len(h.Key) + len(h.Value) + 10
	}
	return size
}

// staticText is the text of an interpolation that depends on no message.
func staticText(s *service.InterpolatedString) (string, bool) {
	if s == nil {
		return "", false
	}
	return s.Static()
}

// checkLimits refuses topics that take less than max_message_bytes: their
// brokers would refuse a record that we take for good.
func (out *kafkaBlocks) checkLimits(ctx context.Context, admin *kadm.Client, names []string) error {
	configs, err := admin.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return fmt.Errorf("asking for the limits of the topics: %w", err)
	}
	for _, topic := range configs {
		for _, c := range topic.Configs {
			if c.Key != "max.message.bytes" || c.Value == nil {
				continue
			}
			if limit, err := strconv.Atoi(*c.Value); err == nil && limit < out.producer.recordBytes {
				return kafkalog.Refusal("topic %s takes batches of %d bytes (max.message.bytes), %s is %d: raise the one or lower the other",
					topic.Name, limit, kfMaxMessage, out.producer.recordBytes)
			}
		}
	}
	return nil
}
