package cluster

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/zeebo/xxh3"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	_ "github.com/connect-testengine/connect-testengine/plugins/all"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/schema/avro"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// runIdle lets runs close within the test.
const runIdle = "1s"

// topicOf is where detect_flaky writes each kind.
var topicOf = map[testengine.Kind]string{
	testengine.KindBlock: "executions", testengine.KindVerdict: "verdicts",
	testengine.KindRun: "runs", testengine.KindUploadReport: "upload_reports",
}

// written are the records of the topics: by topic and partition the hashes of
// their bytes, in order.
type written map[string]map[int32][]xxh3.Uint128

func (w written) add(topic string, partition int32, value []byte) {
	if w[topic] == nil {
		w[topic] = map[int32][]xxh3.Uint128{}
	}
	w[topic][partition] = append(w[topic][partition], xxh3.Hash128(value))
}

// oracle says what must be in the topics: one process, nothing killed, no state
// before, reads what was committed as read of the topic and does the same work.
type oracle struct {
	logID      string
	written    written
	executions map[string]int // by upload id
	verdicts   map[string]bool
	records    int
}

// ask replays the records below the group's committed offsets.
func ask(t *testing.T, kafka *harness.Kafka, logID string) *oracle {
	t.Helper()
	o := &oracle{logID: logID, written: written{}, executions: map[string]int{}, verdicts: map[string]bool{}}
	committed, records := committedOffsets(t, kafka, "detect_flaky", "uploads"), make(chan *kgo.Record, 64)
	go func() {
		defer close(records)
		kafka.Read("uploads", func(r *kgo.Record) {
			if r.Offset < committed[r.Partition] {
				o.records++
				records <- r
			}
		})
	}()
	o.replay(t, records, logID)
	return o
}

// committedOffsets asks until a coordinator answers: brokers are killed here.
func committedOffsets(t testing.TB, kafka *harness.Kafka, group, topic string) map[int32]int64 {
	t.Helper()
	committed, deadline := map[int32]int64{}, time.Now().Add(ending)
	for {
		client := kafka.Client()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		offsets, err := kadm.NewClient(client).FetchOffsets(ctx, group)
		cancel()
		client.Close()
		if err = errors.Join(err, offsets.Error()); err == nil {
			offsets.Each(func(o kadm.OffsetResponse) {
				if o.Topic == topic {
					committed[o.Partition] = o.At
				}
			})
			return committed
		}
		require.True(t, time.Now().Before(deadline), "reading the committed offsets of group %s: %v", group, err)
		time.Sleep(100 * time.Millisecond)
	}
}

const oracleStream = `
input: {topic_records: {}}
pipeline:
  threads: 1
  processors:
    - upload_decode: {}
    - flaky_detect: {run_idle: ` + runIdle + `}
    - execution_enrich: {}
output: {oracle: {}}
logger: {level: WARN}
`

func (o *oracle) replay(t *testing.T, records <-chan *kgo.Record, logID string) {
	t.Helper()
	codec := avro.NewBuiltIn()
	require.NoError(t, codec.Prepare(t.Context()))
	env := service.GlobalEnvironment().Clone()
	require.NoError(t, env.RegisterBatchInput("topic_records", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Resources) (service.BatchInput, error) {
			return &topicRecords{codec: codec, records: records, logID: logID, time: map[int32]int64{}}, nil
		}))
	require.NoError(t, env.RegisterBatchOutput("oracle", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
			return &oracleOutput{oracle: o, codec: codec}, service.BatchPolicy{}, 1, nil
		}))
	builder := env.NewStreamBuilder()
	builder.SetSchema(env.FullConfigSchema("", ""))
	require.NoError(t, builder.SetYAML(oracleStream))
	stream, err := builder.Build()
	require.NoError(t, err)
	require.NoError(t, stream.Run(t.Context()))
}

// topicRecords hands out a topic's records, one batch at a time.
type topicRecords struct {
	codec   testengine.RecordCodec
	records <-chan *kgo.Record
	logID   string
	time    map[int32]int64
}

func (*topicRecords) Connect(context.Context) error { return nil }

func (in *topicRecords) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	var batch service.MessageBatch
	for r := range in.records {
		var decoded testengine.Record
		if err := in.codec.Decode(ctx, r.Value, &decoded); err != nil {
			return nil, nil, err
		}
		in.time[r.Partition] = max(in.time[r.Partition], r.Timestamp.UnixMilli())
		m := message.FromRecord(&decoded)
		m.MetaSetMut(testengine.MetaLogID, in.logID)
		m.MetaSetMut(testengine.MetaPartition, int64(r.Partition))
		m.MetaSetMut(testengine.MetaOffset, r.Offset)
		m.MetaSetMut(testengine.MetaLogTime, in.time[r.Partition])
		if batch = append(batch, m); len(batch) == 16 {
			break
		}
	}
	if len(batch) == 0 {
		return nil, nil, service.ErrEndOfInput
	}
	return batch, func(_ context.Context, err error) error { return err }, nil
}

func (*topicRecords) Close(context.Context) error { return nil }

// oracleOutput notes what the topics must hold.
type oracleOutput struct {
	mu     sync.Mutex
	oracle *oracle
	codec  testengine.RecordCodec
	buffer []byte
}

func (*oracleOutput) Connect(context.Context) error { return nil }

func (out *oracleOutput) WriteBatch(_ context.Context, batch service.MessageBatch) error {
	out.mu.Lock()
	defer out.mu.Unlock()
	for _, m := range batch {
		topic, ours := topicOf[message.Kind(m)]
		if !ours {
			continue
		}
		record, err := message.ToRecord(m)
		if err != nil {
			return err
		}
		if out.buffer, err = out.codec.Append(out.buffer[:0], record); err != nil {
			return err
		}
		partition, _ := message.Int(m, testengine.MetaPartition)
		out.oracle.written.add(topic, int32(partition), out.buffer)
		switch value := record.Value.(type) {
		case *testengine.Block:
			out.oracle.executions[value.Upload.ID] += len(value.Executions)
		case *testengine.Verdict:
			out.oracle.verdicts[value.ID] = true
		}
	}
	return nil
}

func (*oracleOutput) Close(context.Context) error { return nil }

// compare holds what readers of committed records see against the oracle,
// record by record, and says which is the first that differs.
func compare(t *testing.T, kafka *harness.Kafka) *oracle {
	t.Helper()
	codec := avro.NewBuiltIn()
	found, describe := written{}, map[string]string{}
	logID := ""
	for kind, topic := range topicOf {
		kafka.Read(topic, func(r *kgo.Record) {
			place := topic + "/" + strconv.Itoa(int(r.Partition)) + "/" + strconv.Itoa(len(found[topic][r.Partition]))
			found.add(topic, r.Partition, r.Value)
			var decoded testengine.Record
			require.NoError(t, codec.Decode(t.Context(), r.Value, &decoded))
			require.Equal(t, kind, decoded.Kind)
			if block, ok := decoded.Value.(*testengine.Block); ok {
				logID = block.LogID
				require.EqualValues(t, r.Partition, block.Partition, "an output stays in its input's partition")
				describe[place] = "block of " + block.String() + " upload " + block.Upload.ID
			}
		})
	}
	dead := 0
	kafka.Read("dead_letters", func(*kgo.Record) { dead++ })
	require.Zero(t, dead, "dead letters")

	should := ask(t, kafka, logID)
	for _, topic := range topicOf {
		for partition, wanted := range should.written[topic] {
			got := found[topic][partition]
			for i := range min(len(wanted), len(got)) {
				if wanted[i] != got[i] {
					place := topic + "/" + strconv.Itoa(int(partition)) + "/" + strconv.Itoa(i)
					require.FailNow(t, "a record differs from the oracle's", "%s, record %d of %d and %d: %s",
						place, i, len(got), len(wanted), describe[place])
				}
			}
			require.Len(t, got, len(wanted), "records of topic %s partition %d: fewer are lost, more are doubled", topic, partition)
		}
		require.Len(t, found[topic], len(should.written[topic]), "partitions of topic %s that have records", topic)
	}
	return should
}
