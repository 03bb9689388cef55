package peers

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

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

// suiteNumbers are as many suite numbers as there are suites, so chosen that the
// partitions get equally many: suite-N is hashed to its partition, as a door does.
func suiteNumbers(suites int) []int {
	partitioner := kgo.StickyKeyPartitioner(nil).ForTopic("")
	full := make([]int, partitions)
	numbers := make([]int, 0, suites)
	for n := 0; len(numbers) < suites; n++ {
		at := partitioner.Partition(&kgo.Record{Key: suiteKey(n)}, partitions)
		if full[at] < (suites+partitions-1)/partitions {
			full[at]++
			numbers = append(numbers, n)
		}
	}
	return numbers
}

func suiteKey(number int) []byte { return fmt.Appendf(nil, "acme/suite-%d", number) }

func producer(kafka *harness.Kafka) *kgo.Client {
	return kafka.Client(kgo.ProducerBatchMaxBytes(1<<20), kgo.ProducerBatchCompression(kgo.ZstdCompression()),
		kgo.ProducerLinger(0), kgo.MaxBufferedRecords(128))
}

// fill writes so many runs of each suite into a topic, one run after the other.
func fill(b *testing.B, kafka *harness.Kafka, in *input) {
	b.Helper()
	client := producer(kafka)
	numbers := suiteNumbers(in.load.Suites)
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
					record := &kgo.Record{Topic: in.topic, Key: suiteKey(number), Value: body}
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
	in.uploads = int64(in.runs * in.load.Uploads() * in.load.Suites)
	in.executions, in.megabytes = executions.Load(), float64(bytes.Load())/1e6
	b.Logf("topic %s: %d uploads, %d executions, %.0f MB of JSON, %.0f bytes an execution",
		in.topic, in.uploads, in.executions, in.megabytes, in.megabytes*1e6/float64(in.executions))
}

// live writes uploads at a rate of executions a second until the context ends.
func live(ctx context.Context, t testing.TB, kafka *harness.Kafka, in *input, perSecond float64) (sent func() int64) {
	t.Helper()
	client := producer(kafka)
	numbers := suiteNumbers(in.load.Suites)
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
					record := &kgo.Record{
						Topic: in.topic, Key: suiteKey(number), Value: body,
						Headers: []kgo.RecordHeader{{Key: "sent", Value: []byte(strconv.FormatInt(time.Now().UnixMilli(), 10))}},
					}
					client.Produce(ctx, record, nil)
				}
			}
		}
	}()
	return executions.Load
}

func TestSuitesAreSpreadEvenlyOverPartitions(t *testing.T) {
	numbers := suiteNumbers(20)
	require.Len(t, numbers, 20)
	count := map[int]int{}
	for _, n := range numbers {
		count[kgo.StickyKeyPartitioner(nil).ForTopic("").Partition(&kgo.Record{Key: suiteKey(n)}, partitions)]++
	}
	require.Equal(t, map[int]int{0: 5, 1: 5, 2: 5, 3: 5}, count)
}
