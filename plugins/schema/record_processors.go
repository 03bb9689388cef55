package schema

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/message/pause"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const pfSchemas = "schemas"

// longestPause is how long a processor waits at most before it asks the registry again.
const longestPause = 5 * time.Second

func init() {
	service.MustRegisterProcessor("record_encode", encodeSpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.Processor, error) {
			return newRecordProcessor(conf, res, encode)
		})
	service.MustRegisterProcessor("record_decode", decodeSpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.Processor, error) {
			return newRecordProcessor(conf, res, decode)
		})
}

func schemasField() *service.ConfigField {
	return service.NewStringField(pfSchemas).Default("").
		Description("The label of a `testengine_schemas` resource. Empty means built-in schema ids.")
}

func encodeSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.2.0").
		Categories("Test Engine", "Parsing").
		Summary("Writes a message of ours as an Avro record with Confluent's frame.").
		Description(`Takes blocks, verdicts, runs, upload reports and the kinds of the log (`+"`upload`, `duplicate`, `change`, `tick`"+`), told by the metadata `+"`testengine_kind`"+`; the message's content becomes the record's bytes, its metadata stays. It is for streams that write our topics with a stock output; `+"`kafka_blocks`"+` does this itself.

A message that is not ours, or whose schema a registry refuses, is marked as failed and stays as it was. While a registry is away, the message waits.`).
		Field(schemasField()).
		Example("Verdicts into a topic by a stock output", "The key is the suite's, so that readers see a suite in order.", `
pipeline:
  processors:
    - record_encode: {}

output:
  kafka_franz:
    seed_brokers: [localhost:9092]
    topic: verdicts
    key: ${! @org }/${! @suite }
`)
}

func decodeSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.2.0").
		Categories("Test Engine", "Parsing").
		Summary("Reads an Avro record of one of our topics.").
		Description(`The message's content becomes the block, verdict, run or upload report, seen as JSON by every other processor, or the body of an upload; its kind and facts become metadata (`+"`testengine_kind`, `org`, `suite`"+` and, where they are known, `+"`upload_id`, `run_key`, `branch`, `has_failures`"+`). It is for streams that read our topics with a stock input; `+"`kafka_stateful`"+` does this itself.

A record whose schema nobody knows, or that its schema does not explain, is marked as failed and stays as it was. While a registry is away, the message waits.`).
		Field(schemasField()).
		Example("Verdicts out of a topic by a stock input", "What cannot be read goes to a topic of its own, with the reason.", `
input:
  kafka_franz:
    seed_brokers: [localhost:9092]
    topics: [verdicts]
    consumer_group: notifier

pipeline:
  processors:
    - record_decode: {}

output:
  switch:
    cases:
      - check: errored()
        output:
          kafka_franz:
            seed_brokers: [localhost:9092]
            topic: dead_letters
            metadata: {include_patterns: [".*"]}
          processors:
            - mutation: meta reason = error()
      - output:
          http_client:
            url: http://localhost:8080/verdicts
`)
}

// recordProcessor turns messages into records or back.
type recordProcessor struct {
	res   *service.Resources
	label string
	step  func(ctx context.Context, codec testengine.RecordCodec, m *service.Message) (*service.Message, error)

	mu    sync.Mutex
	codec testengine.RecordCodec
}

func newRecordProcessor(conf *service.ParsedConfig, res *service.Resources,
	step func(context.Context, testengine.RecordCodec, *service.Message) (*service.Message, error),
) (*recordProcessor, error) {
	label, err := conf.FieldString(pfSchemas)
	return &recordProcessor{res: res, label: label, step: step}, err
}

// Process implements service.Processor. An error is the message's own fault;
// what is the registry's is tried until it works or ctx ends.
func (p *recordProcessor) Process(ctx context.Context, m *service.Message) (service.MessageBatch, error) {
	codec, err := p.access(ctx)
	if err != nil {
		return nil, err
	}
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, longestPause) {
		out, err := p.step(ctx, codec, m)
		if err == nil {
			return service.MessageBatch{out}, nil
		}
		if _, away := errors.AsType[registryError](err); !away {
			return nil, err
		}
		p.res.Logger().Warnf("a record waits for the registry: %v", err)
		if !pause.For(ctx, wait) {
			return nil, err
		}
	}
}

func (p *recordProcessor) access(ctx context.Context) (testengine.RecordCodec, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.codec == nil {
		codec, err := codecOf(ctx, p.res, p.label)
		if err != nil {
			return nil, err
		}
		p.codec = codec
	}
	return p.codec, nil
}

func encode(ctx context.Context, codec testengine.RecordCodec, m *service.Message) (*service.Message, error) {
	r, err := message.ToRecord(m)
	if err != nil {
		return nil, err
	}
	if err := codec.Prepare(ctx, r.Kind); err != nil {
		return nil, err
	}
	data, err := codec.Append(nil, r)
	if err != nil {
		return nil, err
	}
	out := m.Copy()
	out.SetBytes(data)
	return out, nil
}

func decode(ctx context.Context, codec testengine.RecordCodec, m *service.Message) (*service.Message, error) {
	data, err := m.AsBytes()
	if err != nil {
		return nil, err
	}
	var r testengine.Record
	if err := codec.Decode(ctx, data, &r); err != nil {
		return nil, err
	}
	out := m.Copy()
	message.PutRecord(out, &r)
	return out, nil
}

// Close implements service.Processor.
func (*recordProcessor) Close(context.Context) error { return nil }
