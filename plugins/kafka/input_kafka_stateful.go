package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog"
	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/message/pause"
	"github.com/connect-testengine/connect-testengine/plugins/message/refusal"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func init() {
	service.MustRegisterBatchInput("kafka_stateful", kafkaStatefulSpec(),
		func(conf *service.ParsedConfig, mgr *service.Resources) (service.BatchInput, error) {
			config, err := kafkaStatefulFromParsed(conf)
			if err != nil {
				return nil, err
			}
			return &kafkaStateful{config: config, mgr: mgr, metrics: newKafkaMetrics(mgr.Metrics())}, nil
		})
}

// kafkaStateful is the input: the source, and records as messages.
type kafkaStateful struct {
	config  kafkaStatefulConfig
	mgr     *service.Resources
	metrics *kafkaMetrics

	source  *kafkalog.Source
	reader  *kafkaReader
	refused error
}

// Connect implements service.BatchInput. Brokers that are away are an error, and
// the host tries again; what is refused ends the stream with the first read, or
// stays here until the stream is told to end.
func (in *kafkaStateful) Connect(ctx context.Context) error {
	if in.refused != nil {
		return refusal.Connecting(ctx)
	}
	if in.source != nil {
		return nil
	}
	err := in.open(ctx)
	if errors.Is(err, kafkalog.ErrRefused) || errors.Is(err, fields.ErrResource) {
		in.refuse(err)
		return refusal.Connecting(ctx)
	}
	return err
}

func (in *kafkaStateful) open(ctx context.Context) error {
	options, err := in.options()
	if err != nil {
		return err
	}
	if in.reader, err = newKafkaReader(in.config.format, in.config.schemas, in.mgr); err != nil {
		return err
	}
	options.Tick, options.Keyless, options.Rows = in.reader.tick, keyless, rowsOf
	options.Logger, options.Observer = in.mgr.Logger(), in.metrics
	in.source, err = kafkalog.Open(ctx, options)
	return err
}

func (in *kafkaStateful) options() (kafkalog.Options, error) {
	options := in.config.options
	if in.config.transaction != "" {
		t, err := fields.Resource[*transaction](context.Background(), in.mgr, transactionType, in.config.transaction)
		if err != nil {
			return options, err
		}
		options.Client, options.Group, options.InstanceID, options.Version = t.client, t.Group, t.InstanceID, t.version
		options.Transaction, options.RecordBytes = t.Transaction, t.recordBytes
		if options.AbortAfter >= t.Timeout {
			return options, fmt.Errorf("%s (%s) must be less than %s (%s) of the %s", ksAbortAfter, options.AbortAfter, ktTimeout, t.Timeout, transactionType)
		}
	}
	var err error
	if options.Follower, err = fields.OptionalResource[testengine.LogFollower](context.Background(), in.mgr, "testengine_state", in.config.state); err != nil {
		return options, err
	}
	options.Store, err = fields.OptionalResource[testengine.LogReader](context.Background(), in.mgr, "duckdb_database", in.config.store)
	return options, err
}

// ReadBatch implements service.BatchInput.
func (in *kafkaStateful) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	for {
		if in.refused != nil {
			return nil, nil, refusal.Reading()
		}
		batch, err := in.source.Read(ctx)
		switch {
		case errors.Is(err, kafkalog.ErrRefused):
			in.refuse(err)
			return nil, nil, refusal.Reading()
		case errors.Is(err, kafkalog.ErrClosed):
			return nil, nil, service.ErrEndOfInput
		case err != nil:
			return nil, nil, err
		}
		messages, err := in.messages(ctx, batch)
		switch {
		case err != nil:
			batch.Done(err)
			in.mgr.Logger().Errorf("Reading records of %s: %v", batch.Lane, err)
			if !pause.For(ctx, readPause) {
				return nil, nil, ctx.Err()
			}
		case len(messages) == 0:
			batch.Done(nil)
		default:
			return messages, func(_ context.Context, err error) error {
				batch.Done(err)
				return nil
			}, nil
		}
	}
}

const readPause = 100 * time.Millisecond

// messages makes the batch's messages. Records that never can be one go to the
// dead letters; an error is for now.
func (in *kafkaStateful) messages(ctx context.Context, batch *kafkalog.Batch) (service.MessageBatch, error) {
	messages := make(service.MessageBatch, 0, len(batch.Entries))
	for i := range batch.Entries {
		e := &batch.Entries[i]
		if why := in.source.Misplaced(e.Record); why != "" {
			if err := batch.DeadLetter(ctx, i, "key", why); err != nil {
				return nil, err
			}
			continue
		}
		m, err := in.reader.message(ctx, e.Record)
		switch {
		case errors.Is(err, testengine.ErrUnknownSchema):
			err = batch.DeadLetter(ctx, i, "schema", err.Error())
		case errors.Is(err, testengine.ErrCorruptRecord):
			err = batch.DeadLetter(ctx, i, "damaged", err.Error())
		case err == nil && batch.Poison:
			err = batch.DeadLetter(ctx, i, "failing", "the record failed alone three times")
		}
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", e.Record.Offset, err)
		}
		if m != nil {
			place(m, batch, e)
			messages = append(messages, m)
		}
	}
	return messages, nil
}

// refuse ends the stream, and with it the process.
func (in *kafkaStateful) refuse(err error) {
	in.refused = err
	refusal.Refuse(in.mgr.Logger(), err)
}

// Close implements service.BatchInput.
func (in *kafkaStateful) Close(context.Context) error {
	if in.source != nil {
		in.source.Close()
	}
	return nil
}

type kafkaMetrics struct {
	lagRecords, lagSeconds *service.MetricGauge
	cycles, ticks, dead    *service.MetricCounter
	restores, replayed     *service.MetricCounter
	latency                *service.MetricTimer
}

func newKafkaMetrics(m *service.Metrics) *kafkaMetrics {
	return &kafkaMetrics{
		lagRecords: m.NewGauge("testengine_kafka_lag_records", "topic", "partition"),
		lagSeconds: m.NewGauge("testengine_kafka_lag_seconds", "topic", "partition"),
		cycles:     m.NewCounter("testengine_kafka_cycles_total", "result"),
		latency:    m.NewTimer("testengine_kafka_cycle_latency_ns"),
		ticks:      m.NewCounter("testengine_kafka_ticks_total"),
		dead:       m.NewCounter("testengine_kafka_dead_letters_total", "reason"),
		restores:   m.NewCounter("testengine_kafka_restores_total"),
		replayed:   m.NewCounter("testengine_kafka_replayed_records_total"),
	}
}

// Cycle implements kafkalog.Observer.
func (m *kafkaMetrics) Cycle(result string, took time.Duration) {
	m.cycles.Incr(1, result)
	m.latency.Timing(took.Nanoseconds())
}

// Tick implements kafkalog.Observer.
func (m *kafkaMetrics) Tick() { m.ticks.Incr(1) }

// DeadLetter implements kafkalog.Observer.
func (m *kafkaMetrics) DeadLetter(reason string) { m.dead.Incr(1, reason) }

// Restored implements kafkalog.Observer.
func (m *kafkaMetrics) Restored(replayed int64) {
	m.restores.Incr(1)
	m.replayed.Incr(replayed)
}

// Lag implements kafkalog.Observer.
func (m *kafkaMetrics) Lag(lane kafkalog.Lane, records int64, seconds float64) {
	partition := strconv.Itoa(int(lane.Partition))
	m.lagRecords.Set(records, lane.Topic, partition)
	m.lagSeconds.SetFloat64(seconds, lane.Topic, partition)
}
