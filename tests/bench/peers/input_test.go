package peers

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/tests/bench/peers/uploads"
	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// partitions of the topics of the comparison.
const partitions = 4

// input is a topic full of uploads.
type input struct {
	topic               string
	load                uploads.Load
	runs                int
	uploads, executions int64
	megabytes           float64
}

// producer packs with zstd, as the comparison always did, or as our own outputs do
// by default (TESTENGINE_PEERS_CODEC=snappy).
func producer(kafka *harness.Kafka) *kgo.Client {
	codec := kgo.ZstdCompression()
	if os.Getenv("TESTENGINE_PEERS_CODEC") == "snappy" {
		codec = kgo.SnappyCompression()
	}
	return kafka.Client(kgo.ProducerBatchMaxBytes(1<<20), kgo.ProducerBatchCompression(codec),
		kgo.ProducerLinger(0), kgo.MaxBufferedRecords(128))
}

// fill writes so many runs of each suite into a topic, one run after the other.
func fill(b *testing.B, kafka *harness.Kafka, in *input) {
	b.Helper()
	client := producer(kafka)
	numbers := uploads.Spread(in.load.Suites, partitions)
	var executions, bytes atomic.Int64
	var writers sync.WaitGroup
	slots := make(chan struct{}, 2)
	for run := range in.runs {
		for upload := range in.load.Uploads() {
			for suite, number := range numbers {
				slots <- struct{}{}
				writers.Add(1)
				go func() {
					body, n := in.load.Append(nil, suite, run, upload)
					executions.Add(int64(n))
					bytes.Add(int64(len(body)))
					record := in.record(number, body)
					client.Produce(b.Context(), record, func(_ *kgo.Record, err error) {
						defer writers.Done()
						if err != nil {
							b.Error(err)
						}
					})
					<-slots
				}()
			}
			// An upload of a run must not overtake the one before in its partition.
			writers.Wait()
		}
	}
	time.Sleep(2 * time.Second) // Longer than the run_idle of detect_verdicts.yaml.
	for suite, number := range numbers {
		require.NoError(b, client.ProduceSync(b.Context(), in.record(number, in.load.AppendLast(nil, suite))).FirstErr())
		executions.Add(1)
	}
	in.uploads = int64((in.runs*in.load.Uploads() + 1) * in.load.Suites)
	in.executions, in.megabytes = executions.Load(), float64(bytes.Load())/1e6
	b.Logf("topic %s: %d uploads, %d executions, %.0f MB of JSON, %.0f bytes an execution",
		in.topic, in.uploads, in.executions, in.megabytes, in.megabytes*1e6/float64(in.executions))
}

// record is an upload as a topic of raw bodies has it: Flink reads the body and
// the key, ours the headers too.
func (in *input) record(number int, body []byte) *kgo.Record {
	org, suite, _ := strings.Cut(string(uploads.Key(number)), "/")
	record := &kgo.Record{Topic: in.topic, Key: uploads.Key(number), Value: body}
	for _, fact := range [...]struct{ key, value string }{
		{testengine.MetaKind, string(testengine.KindUpload)},
		{testengine.MetaOrg, org},
		{testengine.MetaSuite, suite},
		{testengine.MetaDefaultBranch, "main"},
		{testengine.MetaContentType, "application/json"},
		{testengine.MetaUploadID, message.UploadID(org, suite, body)},
		{testengine.MetaReceivedAt, strconv.FormatInt(time.Now().UnixMilli(), 10)},
	} {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: fact.key, Value: []byte(fact.value)})
	}
	return record
}

// live writes uploads at a rate of executions a second until the context ends.
func live(ctx context.Context, t testing.TB, kafka *harness.Kafka, in *input, perSecond float64) {
	t.Helper()
	client := producer(kafka)
	numbers := uploads.Spread(in.load.Suites, partitions)
	var executions atomic.Int64
	begin := time.Now()
	go func() {
		for run := 0; ; run++ {
			for upload := range in.load.Uploads() {
				for suite, number := range numbers {
					for float64(executions.Load()) > perSecond*time.Since(begin).Seconds() {
						time.Sleep(time.Millisecond)
					}
					if ctx.Err() != nil {
						return
					}
					body, n := in.load.Append(nil, suite, run, upload)
					executions.Add(int64(n))
					client.Produce(ctx, in.record(number, body), nil)
				}
			}
		}
	}()
}
