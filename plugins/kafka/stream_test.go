package kafka

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog"
	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog/appendtime"
	"github.com/connect-testengine/connect-testengine/plugins/message/refusal"
	"github.com/connect-testengine/connect-testengine/plugins/schema/avro"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/tests/counter"
)

const kafkaPartitions = 3

// testKafka is a broker in the process.
type testKafka struct {
	*testing.T
	addresses string
	client    *kgo.Client
}

func newTestKafka(t *testing.T) *testKafka {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second), kfake.SeedTopics(kafkaPartitions, "uploads", "results", "dead_letters"))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	appendtime.Created(cluster, "uploads", time.Hour)
	k := &testKafka{T: t, addresses: strings.Join(cluster.ListenAddrs(), ",")}
	k.client, err = kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kafkalog.Placed()))
	require.NoError(t, err)
	t.Cleanup(k.client.Close)
	beginAtZero(t, k.client, "uploads")
	return k
}

func (k *testKafka) produce(records ...*kgo.Record) {
	k.Helper()
	require.NoError(k, k.client.ProduceSync(k.Context(), records...).FirstErr())
}

// uploads are records of the log in raw format: bodies suite-0, suite-1, ….
func uploadRecords(suite string, from, to int) (records []*kgo.Record) {
	for n := from; n < to; n++ {
		records = append(records, &kgo.Record{
			Topic: "uploads", Partition: -1, Key: []byte("local/" + suite), Value: fmt.Appendf(nil, "%s-%d", suite, n),
			Headers: []kgo.RecordHeader{
				{Key: "testengine_kind", Value: []byte("upload")},
				{Key: "org", Value: []byte("local")},
				{Key: "suite", Value: []byte(suite)},
				{Key: "received_at", Value: []byte("1700000000000")},
				{Key: "offset", Value: []byte("12")}, // A forged place.
			},
		})
	}
	return records
}

// wait returns n records that a reader of committed records sees in the topic.
func (k *testKafka) wait(topic string, n int) (records []*kgo.Record) {
	k.Helper()
	reader, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(k.addresses, ",")...), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	require.NoError(k, err)
	defer reader.Close()
	ctx, cancel := context.WithTimeout(k.Context(), 20*time.Second)
	defer cancel()
	for len(records) < n {
		records = append(records, reader.PollFetches(ctx).Records()...)
		require.NoError(k, ctx.Err(), "%d of %d records of %s came", len(records), n, topic)
	}
	// What is there twice would be behind.
	more, cancel := context.WithTimeout(k.Context(), 300*time.Millisecond)
	defer cancel()
	return append(records, reader.PollFetches(more).Records()...)
}

// run runs a stream until stop is called; ended says that it ended by itself.
func (k *testKafka) run(yaml string) (stop func(), ended <-chan error) {
	k.Helper()
	env := counter.Environment(k.T)
	b := env.NewStreamBuilder()
	b.SetSchema(env.FullConfigSchema("", ""))
	require.NoError(k, b.SetYAML(strings.NewReplacer("BROKERS", k.addresses).Replace(yaml)))
	stream, err := b.Build()
	require.NoError(k, err)
	done := make(chan error, 1)
	go func() { done <- stream.Run(context.Background()) }()
	return func() { require.NoError(k, stream.StopWithin(20*time.Second)) }, done
}

func exactlyOnce(dir string) string {
	return fmt.Sprintf(`
logger: {level: ERROR}
kafka_transaction:
  - label: transaction
    seed_brokers: [ BROKERS ]
    group: pipeline
    path: %[1]s/kafka
    max_message_bytes: 64KiB
testengine_state:
  - label: state
    path: %[1]s/state
input:
  kafka_stateful:
    transaction: transaction
    topics: [ uploads ]
    state: state
    log_time: created
    format: raw
    cycle: 50ms
pipeline:
  processors:
    - counter: {state: state}
output:
  kafka_blocks:
    transaction: transaction
    topic: results
    format: raw
    copartition: true
`, dir)
}

// counts holds the results to one for each upload, counted by state from 1 on.
func counts(t *testing.T, records []*kgo.Record, suites map[string]int) {
	t.Helper()
	seen := map[string][]string{}
	for _, r := range records {
		suite := header(r, "suite")
		seen[suite] = append(seen[suite], header(r, "count"))
		require.Equal(t, fmt.Sprintf("%s-%d", suite, len(seen[suite])-1), string(r.Value))
		require.Empty(t, header(r, "offset"), "a place is not written")
	}
	for suite, n := range suites {
		var want []string
		for count := 1; count <= n; count++ {
			want = append(want, strconv.Itoa(count))
		}
		require.Equal(t, want, seen[suite], suite)
	}
}

func TestAStreamIsExactlyOnceOverRestartsAndLostState(t *testing.T) {
	k, dir := newTestKafka(t), t.TempDir()
	k.produce(slices.Concat(uploadRecords("web", 0, 30), uploadRecords("api", 0, 20))...)
	stop, _ := k.run(exactlyOnce(dir))
	counts(t, k.wait("results", 50), map[string]int{"web": 30, "api": 20})
	stop()
	committed, err := kadm.NewClient(k.client).FetchOffsets(t.Context(), "pipeline")
	require.NoError(t, err)
	web := int32(kafkalog.KeyPartition(uploadRecords("web", 0, 1)[0], kafkaPartitions))
	c, _ := committed.Lookup("uploads", web)
	require.Contains(t, c.Metadata, `"logic":"counter=v1"`)

	k.produce(uploadRecords("web", 30, 40)...)
	stop, _ = k.run(exactlyOnce(dir))
	counts(t, k.wait("results", 60), map[string]int{"web": 40, "api": 20})
	stop()

	require.NoError(t, os.RemoveAll(filepath.Join(dir, "state")))
	k.produce(uploadRecords("web", 40, 45)...)
	stop, _ = k.run(exactlyOnce(dir))
	counts(t, k.wait("results", 65), map[string]int{"web": 45, "api": 20})
	stop()
}

func TestWhatCanNeverBeProcessedGoesToTheDeadLetters(t *testing.T) {
	k := newTestKafka(t)
	records := uploadRecords("web", 0, 3)
	right := int32(kafkalog.KeyPartition(records[0], kafkaPartitions))
	records[1].Partition = (right + 1) % kafkaPartitions // The key belongs elsewhere.
	records[2].Value = make([]byte, 100<<10)             // Too large for the output.
	k.produce(records...)
	k.produce(&kgo.Record{Topic: "uploads", Partition: right, Value: []byte("{}"), Headers: []kgo.RecordHeader{{Key: "testengine_kind", Value: []byte("tick")}}})
	stop, _ := k.run(exactlyOnce(t.TempDir()))
	defer stop()

	letters := k.wait("dead_letters", 2)
	require.Len(t, letters, 2)
	reasons := map[string]*kgo.Record{}
	for _, letter := range letters {
		reasons[strings.Fields(header(letter, "dead_letter_reason"))[0]] = letter
	}
	misplaced, large := reasons["the"], reasons["it"]
	require.NotNil(t, misplaced)
	require.NotNil(t, large)
	require.Equal(t, "web-1", string(misplaced.Value))
	require.Equal(t, "uploads", header(misplaced, "dead_letter_topic"))
	require.Equal(t, strconv.Itoa(int(right+1)%kafkaPartitions), header(misplaced, "dead_letter_partition"))
	require.Equal(t, "0", header(misplaced, "dead_letter_offset"))
	require.NotEmpty(t, header(large, "dead_letter_cut"))

	results := k.wait("results", 2)
	require.Len(t, results, 2, "the first upload, and the tick: the stream goes on")
}

func TestTypedRecordsAndDamagedOnes(t *testing.T) {
	k := newTestKafka(t)
	codec := avro.NewBuiltIn()
	good, err := codec.Append(nil, &testengine.Record{Kind: testengine.KindUpload, Org: "local", Suite: "web", UploadID: "up_1", ReceivedAt: 5, Body: []byte("web-0")})
	require.NoError(t, err)
	key := []byte("local/web")
	k.produce(
		&kgo.Record{Topic: "uploads", Partition: -1, Key: key, Value: []byte("\x00\x00\x00\x00\x09unknown")},
		&kgo.Record{Topic: "uploads", Partition: -1, Key: key, Value: []byte("damaged")},
		&kgo.Record{Topic: "uploads", Partition: -1, Key: key, Value: good},
	)
	stop, _ := k.run(strings.Replace(exactlyOnce(t.TempDir()), "    format: raw\n    cycle", "    cycle", 1))
	defer stop()
	results := k.wait("results", 1)
	require.Len(t, results, 1)
	require.Equal(t, "web-0", string(results[0].Value))
	require.Equal(t, "up_1", header(results[0], "upload_id"))
	require.Len(t, k.wait("dead_letters", 2), 2)
}

func TestARefusalEndsTheStream(t *testing.T) {
	k := newTestKafka(t)
	_, ended := k.run(strings.Replace(exactlyOnce(t.TempDir()), "group: pipeline", "group: another", 1))
	select {
	case err := <-ended:
		require.NoError(t, err)
		require.True(t, refusal.Refused())
	case <-time.After(20 * time.Second):
		require.FailNow(t, "the stream goes on")
	}
}

func TestWithoutATransactionNothingIsLostAndNothingOvertakes(t *testing.T) {
	k := newTestKafka(t)
	k.produce(uploadRecords("web", 0, 40)...)
	stop, _ := k.run(`
logger: {level: ERROR}
input:
  kafka_stateful:
    seed_brokers: [ BROKERS ]
    group: pipeline
    topics: [ uploads ]
    format: raw
    batch_records: 7
    commit_interval: 50ms
output:
  kafka_blocks:
    seed_brokers: [ BROKERS ]
    topic: results
    key: ${! metadata("suite") }
    format: raw
`)
	defer stop()
	var values, want []string
	for _, r := range k.wait("results", 40) {
		values = append(values, string(r.Value))
		require.Equal(t, "web", string(r.Key))
	}
	for n := range 40 {
		want = append(want, fmt.Sprintf("web-%d", n))
	}
	require.Equal(t, want, values)
	require.Eventually(t, func() bool {
		offsets, err := kadm.NewClient(k.client).FetchOffsets(t.Context(), "pipeline")
		require.NoError(t, err)
		sum := int64(0)
		offsets.Each(func(o kadm.OffsetResponse) { sum += o.At })
		return sum == 40
	}, 20*time.Second, 20*time.Millisecond)
}

var _ service.BatchInput = (*kafkaStateful)(nil)
