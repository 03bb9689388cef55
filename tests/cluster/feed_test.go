package cluster

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/schema/avro"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/tests/bench/peers/uploads"
	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// feed writes uploads into the topic at a rate, as doors would: one in fifty
// comes a second time, through another door.
type feed struct {
	load       uploads.Load
	topic      string
	runs       atomic.Int64 // the one that is being written; the first one is that of before
	perSecond  float64
	executions atomic.Int64 // without those of the second deliveries
	stop       context.CancelFunc
	done       chan struct{}
}

// startFeed begins; Stop ends it. A broker that is away holds it back.
func startFeed(t *testing.T, kafka *harness.Kafka, perSecond float64) *feed {
	t.Helper()
	return startFeedInto(t, kafka, "uploads", 0, perSecond)
}

// startFeedInto writes into a topic what comes from a run on.
func startFeedInto(t *testing.T, kafka *harness.Kafka, topic string, run int64, perSecond float64) *feed {
	t.Helper()
	f := &feed{topic: topic, load: uploads.Load{Suites: 16, Tests: 2000, PerUpload: 500}, perSecond: perSecond, done: make(chan struct{})}
	f.runs.Store(run)
	ctx, cancel := context.WithCancel(t.Context())
	f.stop = cancel
	client := kafka.Client(kgo.ProducerBatchMaxBytes(1<<20), kgo.MaxBufferedRecords(64), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	go func() {
		defer close(f.done)
		f.run(ctx, t, client)
		if err := client.Flush(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(f.Stop)
	return f
}

// Stop returns when everything is written.
func (f *feed) Stop() {
	f.stop()
	<-f.done
}

// until waits for so many executions.
func (f *feed) until(executions int64) {
	for f.executions.Load() < executions {
		time.Sleep(10 * time.Millisecond)
	}
}

func (f *feed) run(ctx context.Context, t *testing.T, client *kgo.Client) {
	codec := avro.NewBuiltIn()
	if err := codec.Prepare(ctx, testengine.KindUpload); err != nil {
		t.Error(err)
		return
	}
	begin, numbers := time.Now(), uploads.Spread(f.load.Suites, partitions)
	for ; ; f.runs.Add(1) {
		run := int(f.runs.Load())
		for upload := range f.load.Uploads() {
			for suite, number := range numbers {
				for float64(f.executions.Load()) > f.perSecond*time.Since(begin).Seconds() {
					time.Sleep(2 * time.Millisecond)
					if ctx.Err() != nil {
						return
					}
				}
				body, n := f.load.Append(nil, suite, run, upload)
				f.executions.Add(int64(n))
				times := 1
				if (run*f.load.Suites+suite)%50 == 0 {
					times = 2
				}
				for range times {
					record, err := uploadRecord(codec, number, body)
					if err != nil {
						t.Error(err)
						return
					}
					record.Topic = f.topic
					// What was begun is written to the end, so that the count is right.
					client.Produce(context.WithoutCancel(ctx), record, func(_ *kgo.Record, err error) {
						if err != nil {
							t.Error(err)
						}
					})
				}
			}
		}
	}
}

// uploadRecord is what ingest_uploads writes.
func uploadRecord(codec testengine.RecordCodec, number int, body []byte) (*kgo.Record, error) {
	_, suite, _ := strings.Cut(string(uploads.Key(number)), "/")
	value, err := codec.Append(nil, &testengine.Record{
		Kind: testengine.KindUpload, Org: "acme", Suite: suite, DefaultBranch: "main", ContentType: "application/json",
		UploadID: message.UploadID("acme", suite, body), ReceivedAt: time.Now().UnixMilli(), Body: body,
	})
	return &kgo.Record{
		Topic: "uploads", Key: uploads.Key(number), Value: value,
		Headers: []kgo.RecordHeader{{Key: testengine.MetaKind, Value: []byte(testengine.KindUpload)}},
	}, err
}

func TestTheFeedIsWhatADoorWrites(t *testing.T) {
	codec := avro.NewBuiltIn()
	require.NoError(t, codec.Prepare(t.Context(), testengine.KindUpload))
	record, err := uploadRecord(codec, 7, []byte("{}"))
	require.NoError(t, err)
	var read testengine.Record
	require.NoError(t, codec.Decode(t.Context(), record.Value, &read))
	require.Equal(t, "suite-7", read.Suite)
	require.Equal(t, "acme/suite-7", string(record.Key))
}
