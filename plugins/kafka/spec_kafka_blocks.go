package kafka

import (
	"errors"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
)

const (
	kbTopics      = "topics"
	kbTopic       = "topic"
	kbKey         = "key"
	kbCopartition = "copartition"
	kbMaxInFlight = "max_in_flight"
)

func kafkaBlocksSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Services").
		Summary("Writes messages to topics, in order, and with `transaction` exactly once.").
		Description(`
**With `+"`transaction`"+`** a record joins the cycle that its message came in. A batch of a cycle that has ended is refused: in the next transaction its records would be there twice. A batch is acknowledged when its records are with the producer; the input ends the cycle only when all are written.

**Without** a batch is acknowledged when all brokers in sync have it: at least once, in order. After a failure everything of the partition from the failed record on is written again, so a later record never overtakes an earlier one.

Messages with `+"`silent: true`"+` only bring state back: they are acknowledged and not written. A kind that `+"`topics`"+` does not name is passed by, unless `+"`topic`"+` is set. A change that concerns every suite (no `+"`suite`"+`) goes to every partition of its topic, without a key.

A record above `+"`max_message_bytes`"+`, or one that its schema cannot express, goes to the dead letters with a reason, and the stream goes on.

Refused before the first record, with one sentence that ends the process: topics that do not exist, that may not be written or that take smaller batches than `+"`max_message_bytes`"+`, brokers that are too old, and schemas that are not compatible with those before them.

Metrics: `+"`testengine_kafka_written_records_total`, `testengine_kafka_unwritable_messages_total{reason}`"+`.`).
		Field(service.NewStringField(kfTransaction).
			Description("The label of the `kafka_transaction` resource that the pipeline's input uses too. Empty is at least once.").Default("")).
		Fields(kafkaClientFields(false)...).
		Fields(
			service.NewStringMapField(kbTopics).
				Description("The topic for each kind (metadata `testengine_kind`).").
				Example(map[string]any{"block": "executions", "verdict": "verdicts"}).Default(map[string]any{}),
			service.NewInterpolatedStringField(kbTopic).
				Description("The topic for messages whose kind `topics` does not name. Empty passes them by.").Default(""),
			service.NewInterpolatedStringField(kbKey).
				Description("The key. Empty is organisation/suite, so that one owner sees whole runs.").Default(""),
			service.NewBoolField(kbCopartition).
				Description("Write to the partition that the message came from, instead of the key's. The topics need as many partitions as the input's.").Default(false),
			service.NewStringEnumField(kfFormat, formatRaw, formatAvro).
				Description("`avro` writes our kinds under their schemas. `raw` writes the message's content, with its metadata as headers.").
				Default(formatAvro),
			service.NewStringField(kfSchemas).
				Description("The label of the `testengine_schemas` resource, when a registry keeps the schemas. Empty writes the built-in ids.").Default(""),
			service.NewStringField(kfDeadLetters).
				Description("The topic for messages that cannot be written. Empty drops them, with a line in the log.").Default("dead_letters"),
		).
		Fields(kafkaProducerFields()...).
		Field(fields.NewNumber(kbMaxInFlight, 1, fields.Endless).
			Description("Batches that may be written at a time.").Default(64)).
		LintRule(`root = match {
  this.transaction.or("") == "" && this.seed_brokers.or([]).length() == 0 => "either transaction or seed_brokers must be set",
  this.topics.or({}).length() == 0 && this.topic.or("") == "" => "either topics or topic must be set",
}`).
		Example("Uploads into the log", "The door answers when the brokers have the upload.", `
output:
  kafka_blocks:
    seed_brokers: [ 127.0.0.1:9092 ]
    topics: {upload: uploads, duplicate: uploads, change: uploads}
`).
		Example("Any messages, in order", "", `
output:
  kafka_blocks:
    seed_brokers: [ 127.0.0.1:9092 ]
    topic: orders
    key: ${! json("customer") }
    format: raw
`)
}

type kafkaBlocksConfig struct {
	transaction string
	topics      map[string]string
	topic, key  *service.InterpolatedString // nil: not set
	copartition bool
	format      string
	schemas     string
	deadLetters string
}

func kafkaBlocksFromParsed(conf *service.ParsedConfig) (c kafkaBlocksConfig, err error) {
	p := fields.Into(&err, conf)
	c.transaction, c.format, c.schemas, c.deadLetters = p.Text(kfTransaction), p.Text(kfFormat), p.Text(kfSchemas), p.Text(kfDeadLetters)
	c.copartition = p.Truth(kbCopartition)
	if err != nil {
		return c, err
	}
	if c.topics, err = conf.FieldStringMap(kbTopics); err != nil {
		return c, err
	}
	if c.topic, err = interpolatedOrNil(conf, kbTopic); err != nil {
		return c, err
	}
	if c.key, err = interpolatedOrNil(conf, kbKey); err != nil {
		return c, err
	}
	if len(c.topics) == 0 && c.topic == nil {
		return c, errors.New("either topics or topic must be set")
	}
	return c, nil
}

func interpolatedOrNil(conf *service.ParsedConfig, name string) (*service.InterpolatedString, error) {
	text, err := conf.FieldString(name)
	if err != nil || text == "" {
		return nil, err
	}
	return conf.FieldInterpolatedString(name)
}
