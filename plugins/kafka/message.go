package kafka

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/schema/avro"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Metadata that the input gives beside the words of package testengine.
const (
	metaKafkaPartition = "kafka_partition"
	metaKafkaKey       = "kafka_key"

	// headerRows is how many rows a record makes in a store.
	headerRows = "rows"
	metaPrefix = "kafka_"
)

// ours is the metadata that the log gives: no header can set it, and none is written.
var ours = map[string]bool{
	testengine.MetaLogID: true, testengine.MetaPartition: true, testengine.MetaOffset: true, testengine.MetaLogTime: true,
	testengine.MetaCycle: true, testengine.MetaSilent: true, testengine.MetaRangeBegin: true, testengine.MetaRangeEnd: true, headerRows: true,
	testengine.MetaBatchBegin: true, testengine.MetaBatchEnd: true,
}

// kafkaReader turns records into messages.
type kafkaReader struct {
	codec testengine.RecordCodec // nil: raw
}

func newKafkaReader(format, schemas string, mgr *service.Resources) (*kafkaReader, error) {
	if format == formatRaw {
		return &kafkaReader{}, nil
	}
	codec, err := recordCodec(schemas, mgr)
	return &kafkaReader{codec: codec}, err
}

// recordCodec is the codec of the resource with that label, or the one with built-in ids.
func recordCodec(label string, mgr *service.Resources) (testengine.RecordCodec, error) {
	if label == "" {
		return avro.NewBuiltIn(), nil
	}
	return fields.Resource[testengine.RecordCodec](context.Background(), mgr, "testengine_schemas", label)
}

// message makes the record's message, without its place in the log.
func (k *kafkaReader) message(ctx context.Context, r *kgo.Record) (*service.Message, error) {
	if k.codec == nil {
		return rawMessage(r), nil
	}
	var decoded testengine.Record
	if err := k.codec.Decode(ctx, r.Value, &decoded); err != nil {
		return nil, err
	}
	return message.FromRecord(&decoded), nil
}

// rawMessage shares the record's bytes.
func rawMessage(r *kgo.Record) *service.Message {
	m := service.NewMessage(r.Value)
	for i := range r.Headers {
		h := &r.Headers[i]
		if ours[h.Key] || strings.HasPrefix(h.Key, metaPrefix) {
			continue
		}
		if h.Key == testengine.MetaReceivedAt {
			if at, err := strconv.ParseInt(string(h.Value), 10, 64); err == nil {
				m.MetaSetMut(h.Key, at)
			}
			continue
		}
		m.MetaSetMut(h.Key, string(h.Value))
	}
	return m
}

// place says where in the log the message's record stands.
func place(m *service.Message, batch *kafkalog.Batch, e *kafkalog.Entry) {
	m.MetaSetMut(testengine.MetaTopic, e.Record.Topic)
	m.MetaSetMut(metaKafkaPartition, int64(e.Record.Partition))
	m.MetaSetMut(metaKafkaKey, string(e.Record.Key))
	m.MetaSetMut(testengine.MetaLogID, batch.LogID)
	m.MetaSetMut(testengine.MetaPartition, int64(batch.Lane.Number))
	m.MetaSetMut(testengine.MetaOffset, e.Record.Offset)
	m.MetaSetMut(testengine.MetaLogTime, e.Time)
	if batch.Cycle != 0 {
		m.MetaSetMut(testengine.MetaCycle, batch.Cycle)
	}
	if batch.Silent || batch.Poison {
		m.MetaSetMut(testengine.MetaSilent, true)
	}
	if batch.Range != nil {
		m.MetaSetMut(testengine.MetaRangeBegin, batch.Range.Begin)
		m.MetaSetMut(testengine.MetaRangeEnd, batch.Range.End)
	}
}

// tick makes the record of a tick: it has no key and may lie in any partition.
func (k *kafkaReader) tick(now int64) (*kgo.Record, error) {
	r := &kgo.Record{Value: []byte("{}"), Headers: []kgo.RecordHeader{
		{Key: testengine.MetaKind, Value: []byte(testengine.KindTick)},
		{Key: testengine.MetaReceivedAt, Value: strconv.AppendInt(nil, now, 10)},
	}}
	if k.codec == nil {
		return r, nil
	}
	if err := k.codec.Prepare(context.Background(), testengine.KindTick); err != nil {
		return nil, fmt.Errorf("preparing the schema of ticks: %w", err)
	}
	var err error
	r.Value, err = k.codec.Append(nil, &testengine.Record{Kind: testengine.KindTick, ReceivedAt: now, Body: r.Value})
	return r, err
}

// keyless tells the records that have no key on purpose: ticks, and changes that
// concern every suite and so stand in every partition.
func keyless(r *kgo.Record) bool {
	if len(r.Key) > 0 {
		return false
	}
	switch testengine.Kind(header(r, testengine.MetaKind)) { //nolint:exhaustive // the others are keyed
	case testengine.KindTick, testengine.KindChange:
		return true
	}
	return false
}

// rowsOf is how many rows the record makes in a store.
func rowsOf(r *kgo.Record) int64 {
	rows, err := strconv.ParseInt(header(r, headerRows), 10, 64)
	if err != nil {
		return 1
	}
	return rows
}

func header(r *kgo.Record, key string) string {
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			return string(r.Headers[i].Value)
		}
	}
	return ""
}
