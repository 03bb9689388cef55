package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/message/refusal"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func init() {
	service.MustRegisterBatchOutput("kafka_blocks", kafkaBlocksSpec(),
		func(conf *service.ParsedConfig, mgr *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
			var err error
			inFlight := fields.Into(&err, conf).NumberWithin(1, fields.Endless, kbMaxInFlight)
			if err != nil {
				return nil, service.BatchPolicy{}, 0, err
			}
			out, err := newKafkaBlocks(conf, mgr)
			return out, service.BatchPolicy{}, inFlight, err
		})
}

// kafkaBlocks is the output.
type kafkaBlocks struct {
	config   kafkaBlocksConfig
	options  []kgo.Opt
	producer kafkaProducer
	mgr      *service.Resources
	log      *service.Logger
	records  *service.MetricCounter
	dead     *service.MetricCounter

	codec       testengine.RecordCodec // nil: raw
	transaction *kafkalog.Transaction  // nil: at least once
	client      *kgo.Client            // asks, and without a transaction writes
	writer      *kafkalog.Writer
	partitions  sync.Map // by topic, how many partitions it has
	buffers     sync.Pool
}

func newKafkaBlocks(conf *service.ParsedConfig, mgr *service.Resources) (*kafkaBlocks, error) {
	config, err := kafkaBlocksFromParsed(conf)
	if err != nil {
		return nil, err
	}
	out := &kafkaBlocks{
		config: config, mgr: mgr, log: mgr.Logger(),
		records: mgr.Metrics().NewCounter("testengine_kafka_written_records_total"),
		dead:    mgr.Metrics().NewCounter("testengine_kafka_unwritable_messages_total", "reason"),
	}
	if out.options, err = kafkaClientOptions(conf); err != nil {
		return nil, err
	}
	out.producer, err = kafkaProducerOptions(conf)
	return out, err
}

// Connect implements service.BatchOutput. It checks what can be checked before
// the first record. Brokers that are away are an error, and the host tries
// again; what is refused ends the stream.
func (out *kafkaBlocks) Connect(ctx context.Context) error {
	if out.client != nil {
		return nil
	}
	err := out.connect(ctx)
	if errors.Is(err, kafkalog.ErrRefused) || errors.Is(err, testengine.ErrIncompatibleSchema) || errors.Is(err, fields.ErrResource) {
		refusal.Refuse(out.mgr.Logger(), err)
		return refusal.Connecting(ctx)
	}
	return err
}

func (out *kafkaBlocks) connect(ctx context.Context) error {
	if err := fields.Expected(out.mgr); err != nil {
		return err
	}
	options := append(append([]kgo.Opt{}, out.options...), out.producer.options...)
	if out.config.transaction != "" {
		t, err := fields.Resource[*transaction](context.Background(), out.mgr, transactionType, out.config.transaction)
		if err != nil {
			return err
		}
		out.transaction, out.producer.recordBytes = t.Transaction, t.recordBytes
		options = slices.Clone(t.client)
	}
	client, err := kgo.NewClient(append(options, kgo.RecordPartitioner(kafkalog.Placed()), kgo.UnknownTopicRetries(1))...)
	if err != nil {
		return err
	}
	if err := out.check(ctx, client); err != nil {
		client.Close()
		return err
	}
	out.client = client
	if out.transaction == nil {
		out.writer = kafkalog.NewWriter(client, out.mgr.Logger())
	}
	return nil
}

// check asks whether everything can be written that will have to be.
func (out *kafkaBlocks) check(ctx context.Context, client *kgo.Client) error {
	if err := kafkalog.CheckBrokers(ctx, client, out.transaction != nil); err != nil {
		return err
	}
	if err := out.checkTopics(ctx, client); err != nil {
		return err
	}
	return out.prepare(ctx)
}

// prepare makes the schemas known before the first record.
func (out *kafkaBlocks) prepare(ctx context.Context) (err error) {
	if out.config.format == formatRaw {
		return nil
	}
	if out.codec, err = recordCodec(out.config.schemas, out.mgr); err != nil {
		return err
	}
	var kinds []testengine.Kind
	for kind := range maps.Keys(out.config.topics) {
		if hasSchema(testengine.Kind(kind)) {
			kinds = append(kinds, testengine.Kind(kind))
		}
	}
	return out.codec.Prepare(ctx, kinds...)
}

// hasSchema says whether records of that kind are typed. The others are written
// as they are: JSON of windows, and what nobody could process.
func hasSchema(kind testengine.Kind) bool {
	switch kind { //nolint:exhaustive // the others are typed
	case testengine.KindWindow, testengine.KindLate, testengine.KindRejected, testengine.KindApplied:
		return false
	}
	return true
}

// checkTopics looks whether the topics are there and take records as large as ours.
func (out *kafkaBlocks) checkTopics(ctx context.Context, client *kgo.Client) error {
	names := slices.Sorted(maps.Values(out.config.topics))
	if out.config.deadLetters != "" {
		names = append(names, out.config.deadLetters)
	}
	if topic, static := staticText(out.config.topic); static {
		names = append(names, topic)
	}
	slices.Sort(names) // The dead letters may be a kind's topic too.
	if names = slices.Compact(names); len(names) == 0 {
		return nil
	}
	found, err := kafkalog.FindTopics(ctx, client, true, names...)
	if err != nil {
		return err
	}
	for name, topic := range found {
		out.partitions.Store(name, topic.Partitions)
	}
	return out.checkLimits(ctx, kadm.NewClient(client), names)
}

// WriteBatch implements service.BatchOutput: all of the batch, or an error.
func (out *kafkaBlocks) WriteBatch(ctx context.Context, batch service.MessageBatch) error {
	if err := message.NotRemembered(batch); err != nil {
		return err
	}
	w := blockWriter{out: out, ctx: ctx}
	for _, m := range batch {
		if message.Silent(m) {
			continue
		}
		if err := w.add(m); err != nil {
			return err
		}
	}
	return w.finish()
}

// Close implements service.BatchOutput.
func (out *kafkaBlocks) Close(context.Context) error {
	if out.writer != nil {
		out.writer.Close()
	}
	if out.client != nil {
		out.client.Close()
	}
	return nil
}

// partitionsOf is how many partitions the topic has.
func (out *kafkaBlocks) partitionsOf(ctx context.Context, topic string) (int, error) {
	if known, ok := out.partitions.Load(topic); ok {
		return known.(int), nil //nolint:forcetypeassert // only counts are stored
	}
	details, err := kadm.NewClient(out.client).ListTopics(ctx, topic)
	if err == nil {
		err = details[topic].Err
	}
	if err != nil {
		return 0, fmt.Errorf("looking for topic %s: %w", topic, err)
	}
	n := len(details[topic].Partitions)
	if n == 0 {
		return 0, fmt.Errorf("looking for topic %s: it has no partitions", topic)
	}
	out.partitions.Store(topic, n)
	return n, nil
}
