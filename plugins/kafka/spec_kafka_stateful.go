package kafka

import (
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog"
	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
)

const (
	ksTopics           = "topics"
	ksLogTime          = "log_time"
	ksCheckKeys        = "check_keys"
	ksCycle            = "cycle"
	ksAbortAfter       = "abort_after"
	ksBatchRecords     = "batch_records"
	ksBatchBytes       = "batch_bytes"
	ksMaxBuffered      = "max_buffered_bytes"
	ksFetchBytes       = "fetch_max_bytes"
	ksFetchPartition   = "fetch_max_partition_bytes"
	ksSessionTimeout   = "session_timeout"
	ksRebalanceTimeout = "rebalance_timeout"
	ksCommitInterval   = "commit_interval"
	ksDrain            = "drain_timeout"
	ksTickInterval     = "tick_interval"
	ksRanges           = "ranges"
	ksRangeRows        = "rows"
	ksRangeBytes       = "bytes"
	ksRangePeriod      = "period"
	ksRangeStore       = "store"
)

func kafkaStatefulSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Services").
		Summary("Reads topics as logs: in order, with the state behind each partition at exactly the committed offset.").
		Description(`
Each partition has one large batch on its way at a time; partitions run side by side. A batch that fails is done again before anything after it, so no position is ever skipped by one that overtakes.

**With `+"`transaction`"+`** the outputs (`+"`kafka_blocks`"+`) and the offsets of a cycle are committed in one transaction of Kafka: exactly once for readers of committed records. A cycle ends only when all its batches have come back; one that fails or takes longer than `+"`abort_after`"+` is thrown away and done again. A record that fails alone three times moves state like any other, but its results are left out and it goes to the dead letters.

**With `+"`state`"+`** a partition's state is brought to exactly the committed offset before its first record, after a restart, a rebalance and a failure: from files, then by a silent replay (metadata `+"`silent: true`"+`) that no output writes. When a timer of the state is due and the partition waits at its end, a tick is appended to the topic.

**With `+"`ranges`"+`** (for stores, without transaction and state) the input cuts each partition into ranges, commits every range as an intent before it is handed out, and hands it out whole. Whoever owns the partition next does exactly that range again first, so a store that drops what it has, or names its writes by `+"`range_begin`"+` and `+"`range_end`"+`, has everything once.

**Otherwise** delivery is at least once: offsets are committed after the acknowledgement.

A group without a committed offset is refused, not started from somewhere: `+"`connect-testengine topics create`"+` commits 0 for new groups. Also refused, with one sentence that ends the process: a topic that does not exist or was made anew, a log that no longer has what comes next, missing rights, state of another log, and another process that has taken this instance's place, and with `+"`state`"+` a topic whose records have times that nobody bounds (`+"`log_time`"+`).

Messages carry `+"`log_id`, `partition`, `offset`, `log_time`"+` (the greatest time of the partition's records so far, see the field `+"`log_time`"+`), `+"`cycle`, `kafka_topic`, `kafka_partition` and `kafka_key`"+`. With format raw the record's headers are metadata too; a header can never take the place of one of these.

Of each of its partitions a process says every few seconds how far the committed offset is behind the end: `+"`testengine_kafka_lag_records{topic,partition}` in records, `testengine_kafka_lag_seconds{topic,partition}`"+` for how long the oldest of them has waited. Both are 0 of a partition that it no longer has, so the greatest over all processes is the group's.

Metrics beside them: `+"`testengine_kafka_cycles_total{result}`, `testengine_kafka_cycle_latency_ns`, `testengine_kafka_ticks_total`, `testengine_kafka_dead_letters_total{reason}`, `testengine_kafka_restores_total`, `testengine_kafka_replayed_records_total`"+`.`).
		Field(service.NewStringField(kfTransaction).
			Description("The label of the `kafka_transaction` resource that the pipeline's outputs use too. Empty is at least once.").Default("")).
		Fields(kafkaClientFields(false)...).
		Fields(kafkaStatefulReadFields()...).
		Fields(kafkaStatefulLimitFields()...).
		LintRule(`root = match {
  this.transaction.or("") == "" && this.seed_brokers.or([]).length() == 0 => "either transaction or seed_brokers must be set",
  this.transaction.or("") == "" && this.group.or("") == "" => "either transaction or group must be set",
  this.topics.or([]).length() == 0 => "topics must name at least one topic",
  this.state.or("") != "" && this.topics.or([]).length() > 1 => "state can only follow one topic",
  this.ranges.rows.or(0) > 0 && (this.transaction.or("") != "" || this.state.or("") != "") => "ranges exclude transaction and state",
}`).
		Example("Another team's stream, in order", "Without transaction and state: at least once, and nothing overtakes within a partition.", `
input:
  kafka_stateful:
    seed_brokers: [ 127.0.0.1:9092 ]
    group: orders
    topics: [ orders ]
    format: raw
    check_keys: false
`).
		Example("Feed a store from topics", "Each range is written once: DuckDB drops what its watermark has.", `
input:
  kafka_stateful:
    seed_brokers: [ 127.0.0.1:9092 ]
    group: store_executions
    topics: [ executions, verdicts ]
    ranges: {rows: 100000, store: database}

duckdb_database:
  - label: database
    path: ./data/store_executions/testengine.duckdb

output:
  duckdb:
    database: database
`)
}

func kafkaStatefulReadFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewStringField(kfGroup).
			Description("The consumer group. Not used with `transaction`.").Default(""),
		service.NewStringField(kfInstanceID).
			Description("The name of a static member, so that a restarted process gets its partitions back at once. Not used with `transaction`, which has one.").Default("").Advanced(),
		service.NewStringListField(ksTopics).
			Description("The topics to read as one log. With `state` exactly one.").Example([]string{"uploads"}),
		service.NewStringField(kfState).
			Description("The label of the `testengine_state` resource that the pipeline's stateful processors use, if they use one.").Default(""),
		service.NewStringEnumField(kfFormat, formatRaw, formatAvro).
			Description("`avro` reads the records that `kafka_blocks` writes as `avro`: typed values under their schemas. `raw` takes bytes as they are, with headers as metadata: an upload's body with the headers `org`, `suite`, `upload_id`, `received_at`, `default_branch`, `content_type` and `content_encoding` is an upload.").
			Default(formatAvro),
		service.NewStringField(kfSchemas).
			Description("The label of the `testengine_schemas` resource, for schema ids of a registry. Empty knows the built-in ids.").Default(""),
		service.NewStringEnumField(ksLogTime, logTimeAppended, logTimeCreated).
			Description("Whose times move the log's time, by which timers fire, windows close and duplicates are forgotten. `appended`: the brokers' (`message.timestamp.type=LogAppendTime`, as `topics create` makes topics); with `state` a topic that has the times of its writers is refused, since one wrong clock would move its time for ever, and without `state` such a record has its own time and moves nothing. `created`: the writers' too, for topics of others; with `state` the brokers must bound them to a day ahead (`message.timestamp.after.max.ms`, Kafka 3.6; an hour by default from 4.0).").
			Default(logTimeAppended),
		service.NewBoolField(ksCheckKeys).
			Description("Send a record whose key does not belong to its partition to the dead letters: the state of its suite is elsewhere. Ticks and changes for all suites have no key.").Default(true),
		service.NewStringField(kfDeadLetters).
			Description("The topic for records that can never be processed: damaged, of an unknown schema, in the wrong partition, or failing alone three times. They keep their key and headers; `dead_letter_reason`, `_topic`, `_partition` and `_offset` are added. Empty drops them, with a line in the log.").
			Default("dead_letters"),
		service.NewObjectField(ksRanges,
			fields.NewNumber(ksRangeRows, 0, fields.Endless).Description("Cut a range at so many rows (header `rows` of a record, else 1); 0 does not cut ranges. Stores like 50,000 to 200,000.").Default(0),
			service.NewStringField(ksRangeBytes).Description("Cut a range at so many bytes.").Default("16MB"),
			fields.NewDuration(ksRangePeriod).Description("Cut a range when its first record has waited so long.").Default("1s"),
			service.NewStringField(ksRangeStore).Description("The label of the `duckdb_database` behind. At start the input checks that the store has everything before the committed offset.").Default(""),
		).Description("How a store is fed."),
	}
}

func kafkaStatefulLimitFields() []*service.ConfigField {
	return []*service.ConfigField{
		fields.NewDuration(ksCycle).
			Description("How long a transaction gathers records, counted from its first.").Default("150ms"),
		fields.NewDuration(ksAbortAfter).
			Description("A cycle whose batches have not come back after this is aborted, as soon as they have. Less than the transaction's timeout.").Default("5s"),
		fields.NewNumber(ksBatchRecords, 1, fields.Endless).
			Description("The most records in one batch.").Default(512),
		service.NewStringField(ksBatchBytes).
			Description("The most bytes in one batch. A larger record is a batch of its own.").Default("32MB"),
		service.NewStringField(ksMaxBuffered).
			Description("About how many bytes of records are in memory, unpacked and not yet acknowledged, before no more are taken.").Default("64MB"),
		service.NewStringField(ksFetchBytes).
			Description("The most bytes, as compressed in the topic, that one answer of a broker has.").Default("4MB").Advanced(),
		service.NewStringField(ksFetchPartition).
			Description("The most bytes of one partition in an answer. A larger batch comes all the same.").Default("1MB").Advanced(),
		fields.NewDuration(ksSessionTimeout).
			Description("After how long without a heartbeat another process gets the partitions.").Default("6s").Advanced(),
		fields.NewDuration(ksRebalanceTimeout).
			Description("How long members may take to join a rebalance.").Default("30s").Advanced(),
		fields.NewDuration(ksCommitInterval).
			Description("How often offsets are committed without a transaction.").Default("1s").Advanced(),
		fields.NewDuration(ksDrain).
			Description("How long the input waits for batches on their way when partitions go or the process stops. Brokers that do not answer hold it as long again, and for the `transaction_timeout` of a transaction. Less than `rebalance_timeout`.").Default("5s").Advanced(),
		fields.NewDuration(ksTickInterval).
			Description("How often a partition that waits at its end may get a tick.").Default("1s").Advanced(),
	}
}

// Values of log_time.
const (
	logTimeAppended = "appended"
	logTimeCreated  = "created"
)

// kafkaStatefulConfig is the parsed configuration; resources are found later.
type kafkaStatefulConfig struct {
	options     kafkalog.Options
	transaction string
	state       string
	store       string
	format      string
	schemas     string
}

func kafkaStatefulFromParsed(conf *service.ParsedConfig) (c kafkaStatefulConfig, err error) {
	if c.options.Client, err = kafkaClientOptions(conf); err != nil {
		return c, err
	}
	if c.options.Topics, err = conf.FieldStringList(ksTopics); err != nil {
		return c, err
	}
	p, r := fields.Into(&err, conf), fields.Into(&err, conf.Namespace(ksRanges))
	c.transaction, c.state, c.format, c.schemas = p.Text(kfTransaction), p.Text(kfState), p.Text(kfFormat), p.Text(kfSchemas)
	c.store = r.Text(ksRangeStore)
	o := &c.options
	o.Group, o.InstanceID, o.DeadLetters = p.Text(kfGroup), p.Text(kfInstanceID), p.Text(kfDeadLetters)
	o.CheckKeys, o.CreatedTimes = p.Truth(ksCheckKeys), p.Text(ksLogTime) == logTimeCreated
	o.Ranges = kafkalog.RangeLimit{Rows: int64(r.NumberWithin(0, fields.Endless, ksRangeRows)), Bytes: r.Bytes(ksRangeBytes), Period: r.Duration(ksRangePeriod)}
	o.Cycle, o.AbortAfter = p.Duration(ksCycle), p.Duration(ksAbortAfter)
	o.BatchRecords, o.BatchBytes, o.BufferedBytes = p.Number(ksBatchRecords), p.Bytes(ksBatchBytes), p.Bytes(ksMaxBuffered)
	o.FetchBytes, o.FetchPartitionBytes = int32(p.Bytes(ksFetchBytes)), int32(p.Bytes(ksFetchPartition))
	o.SessionTimeout, o.RebalanceTimeout = rounded(p.Duration(ksSessionTimeout)), rounded(p.Duration(ksRebalanceTimeout))
	o.CommitInterval, o.Drain, o.TickInterval = p.Duration(ksCommitInterval), p.Duration(ksDrain), p.Duration(ksTickInterval)
	if err != nil {
		return c, err
	}
	return c, c.check()
}

func (c *kafkaStatefulConfig) check() error {
	o := &c.options
	for name, wait := range map[string]time.Duration{
		ksCycle: o.Cycle, ksAbortAfter: o.AbortAfter, ksCommitInterval: o.CommitInterval, ksDrain: o.Drain,
		ksTickInterval: o.TickInterval, ksRangePeriod: o.Ranges.Period,
	} {
		if wait <= 0 {
			return fmt.Errorf("%s must be more than 0s", name)
		}
	}
	switch {
	case o.BatchRecords < 1:
		return fmt.Errorf("%s must be at least 1", ksBatchRecords)
	case o.BufferedBytes < 1:
		return fmt.Errorf("%s must be at least 1", ksMaxBuffered)
	case o.Cycle >= o.AbortAfter:
		return fmt.Errorf("%s must be less than %s", ksCycle, ksAbortAfter)
	case o.Drain >= o.RebalanceTimeout:
		return fmt.Errorf("%s must be less than %s", ksDrain, ksRebalanceTimeout)
	case c.state != "" && len(o.Topics) != 1:
		return fmt.Errorf("%s can only follow one topic, %s has %d", kfState, ksTopics, len(o.Topics))
	case o.Ranges.Rows > 0 && (c.transaction != "" || c.state != ""):
		return fmt.Errorf("%s exclude %s and %s", ksRanges, kfTransaction, kfState)
	}
	return nil
}
