package kafka

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog"
	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/message/resource"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

const (
	transactionType = "kafka_transaction"

	ktTimeout  = "transaction_timeout"
	ktPipeline = "pipeline"
	ktVersion  = "version"
	ktInMemory = "in_memory"
)

func init() {
	resource.Register(transactionType, transactionSpec(),
		func(conf *service.ParsedConfig, _ *service.Resources) (any, error) {
			return transactionFromParsed(conf, disk.OS())
		})
}

func transactionSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Integration").
		Summary("Joins a pipeline's input and outputs in Kafka: what is written and how far was read are committed together or not at all.").
		Description(`The input `+"`kafka_stateful`"+` and the outputs `+"`kafka_blocks`"+` of a pipeline name this resource. Then each cycle of a few hundred milliseconds is one transaction: readers that take committed records only (`+"`isolation.level=read_committed`"+`) see every record's results once, whatever is killed and whenever.

The resource is one member of the consumer group and one transactional producer, named group/pipeline/instance. The instance's name is made once and kept in `+"`path`"+`, so that a restarted process gets its partitions back at once and ends its predecessor's transaction. When another process takes the same name the older one ends with a sentence; it does not come back.

Another node takes over a dead one's partitions within the longer of the session timeout (6 s) and `+"`transaction_timeout`"+`, plus the brokers' sweep of dead transactions: set `+"`transaction.abort.timed.out.transaction.cleanup.interval.ms=1000`"+` there, its default is 10 s. Brokers of Kafka 2.5 or newer are needed, 4.0 or newer advised.`).
		Fields(kafkaClientFields(true)...).
		Fields(
			service.NewStringField(kfGroup).
				Description("The consumer group: all processes of a pipeline share it.").Example("detect_flaky"),
			service.NewStringField(ktPipeline).
				Description("The pipeline's name in the transactional id; without it the group's.").Default("").Advanced(),
			service.NewStringField(ktVersion).
				Description("The name of this version of the pipeline. Commits carry it, and what another version has committed is refused until `connect-testengine state handover` gives the group over.").Default("").Advanced(),
			service.NewStringField(kfPath).
				Description("A folder of this process alone, which keeps the instance's name.").Default("./data/kafka"),
			service.NewStringField(kfInstanceID).
				Description("The instance's name, when something else names instances (a StatefulSet). Then nothing is kept in `path`, and nothing but Kafka itself keeps two processes of the same name apart.").Default(""),
			fields.NewDuration(ktTimeout).
				Description("After how long brokers abort the transaction of a process that is gone. Batches of a cycle must come back in less.").Default("10s"),
			service.NewBoolField(ktInMemory).
				Description("Keep nothing on disk; meant for tests of pipelines.").Default(false).Advanced(),
		).
		Fields(kafkaProducerFields()...).
		Example("Detect, exactly once", "Uploads in, verdicts out, and the state between them, in one transaction a cycle.", `
kafka_transaction:
  - label: transaction
    seed_brokers: [ 127.0.0.1:9092 ]
    group: detect_flaky
    path: ./data/detect_flaky/kafka

testengine_state:
  - label: state
    path: ./data/detect_flaky/state

input:
  kafka_stateful:
    transaction: transaction
    topics: [ uploads ]
    state: state

output:
  kafka_blocks:
    transaction: transaction
    topics: {block: executions, verdict: verdicts, run: runs, upload_report: upload_reports}
    copartition: true
`)
}

// transaction is the resource: what AccessCustomResource gives.
type transaction struct {
	*kafkalog.Transaction
	client      []kgo.Opt
	recordBytes int
	version     string
	lock        io.Closer
	closed      sync.Once
}

func transactionFromParsed(conf *service.ParsedConfig, d disk.Disk) (*transaction, error) {
	client, err := kafkaClientOptions(conf)
	if err != nil {
		return nil, err
	}
	producer, err := kafkaProducerOptions(conf)
	if err != nil {
		return nil, err
	}
	p := fields.Into(&err, conf)
	group, pipeline, dir, name := p.Text(kfGroup), p.Text(ktPipeline), p.Text(kfPath), p.Text(kfInstanceID)
	timeout, inMemory, version := p.Duration(ktTimeout), p.Truth(ktInMemory), p.Text(ktVersion)
	switch {
	case err != nil:
		return nil, err
	case group == "":
		return nil, fmt.Errorf("%s must not be empty", kfGroup)
	case timeout < time.Second:
		return nil, fmt.Errorf("%s must be at least 1s", ktTimeout)
	}
	t := &transaction{client: client, recordBytes: producer.recordBytes, version: version}
	switch {
	case name != "":
	case inMemory:
		name = "in-memory"
	default:
		if name, t.lock, err = instance(d, dir); err != nil {
			return nil, err
		}
	}
	if pipeline == "" {
		pipeline = group
	}
	t.Transaction = &kafkalog.Transaction{
		ID: group + "/" + pipeline + "/" + name, Group: group, InstanceID: name, Timeout: rounded(timeout), Client: client,
		Producer: append(producer.options, kgo.RecordPartitioner(kafkalog.Placed())),
	}
	return t, nil
}

// Close lets go of the folder. The input has left the group by then.
func (t *transaction) Close(context.Context) (err error) {
	t.closed.Do(func() {
		if t.lock != nil {
			err = t.lock.Close()
		}
	})
	return err
}
