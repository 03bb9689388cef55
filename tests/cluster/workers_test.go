package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// partitions of all topics here.
const partitions = 8

// fleet is a broker, its proxy and workers that share detection.
type fleet struct {
	t       *testing.T
	kafka   *harness.Kafka
	proxy   *harness.Proxy
	data    string
	workers []*harness.Process
	behind  *harness.Process // the store, when there is one
}

// all are the processes that run.
func (f *fleet) all() []*harness.Process {
	if f.behind == nil {
		return f.workers
	}
	return append([]*harness.Process{f.behind}, f.workers...)
}

func newFleet(t *testing.T, brokers, workers int) *fleet {
	t.Helper()
	f := &fleet{t: t, kafka: harness.StartKafka(t, brokers), data: t.TempDir()}
	f.kafka.CreateTopics(partitions)
	f.proxy = f.kafka.Proxy()
	for n := range workers {
		f.workers = append(f.workers, nil)
		f.start(n)
	}
	return f
}

func clientID(n int) string { return "worker-" + strconv.Itoa(n) }

// start starts worker n, the first time or again, on its own folder.
func (f *fleet) start(n int) {
	f.t.Helper()
	f.workers[n] = harness.Start(f.t, harness.Options{
		Pipeline: "pipelines/detect_flaky.yaml", Data: filepath.Join(f.data, clientID(n)),
		Env: []string{"TESTENGINE_BROKERS=" + f.proxy.Addresses},
		Set: []string{
			"kafka_transaction.0.client_id=" + clientID(n),
			"pipeline.processors.2.flaky_detect.run_idle=" + runIdle,
		},
	})
}

// ended says why a worker is not running, "" when it is.
func (f *fleet) ended(n int) string {
	select {
	case <-f.workers[n].Gone():
		return f.workers[n].Output()
	default:
		return ""
	}
}

// store starts the process that feeds DuckDB from the topics.
func (f *fleet) store() {
	f.behind = harness.Start(f.t, harness.Options{
		Pipeline: "pipelines/store_executions_locally.yaml", Data: filepath.Join(f.data, "store"),
		Env: []string{"TESTENGINE_BROKERS=" + f.proxy.Addresses},
		Set: []string{"input.broker.inputs.0.kafka_stateful.client_id=store", "input.broker.inputs.0.kafka_stateful.ranges.period=200ms"},
	})
}

// drained waits until the group has read every record that was committed by
// then. The markers behind the last one are nobody's to read.
func (f *fleet) drained(group string, topics ...string) {
	f.t.Helper()
	for _, topic := range topics {
		last := map[int32]int64{}
		f.kafka.Read(topic, func(r *kgo.Record) { last[r.Partition] = r.Offset })
		deadline := time.Now().Add(ending)
		for behind := "?"; behind != ""; time.Sleep(50 * time.Millisecond) {
			committed := committedOffsets(f.t, f.kafka, group, topic)
			behind = ""
			for partition, offset := range last {
				if committed[partition] <= offset {
					behind = fmt.Sprintf("topic %s partition %d stands at %d, its last record is %d", topic, partition, committed[partition], offset)
				}
			}
			if behind != "" && time.Now().After(deadline) {
				for _, process := range f.all() {
					f.t.Log(process.Stacks())
				}
				require.FailNow(f.t, "group "+group+" does not come to the end", behind)
			}
		}
	}
}

// moves waits until the group gets further in every partition of a topic that is
// being written, whoever owns it.
func (f *fleet) moves(within time.Duration) {
	f.t.Helper()
	before, deadline := committedOffsets(f.t, f.kafka, "detect_flaky", "uploads"), time.Now().Add(within)
	for {
		standing := []int32{}
		for partition, at := range committedOffsets(f.t, f.kafka, "detect_flaky", "uploads") {
			if at <= before[partition] {
				standing = append(standing, partition)
			}
		}
		if len(standing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			for _, process := range f.all() {
				f.t.Log(process.Stacks())
			}
			require.FailNow(f.t, "partitions of uploads stand still", "%v", standing)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// finish drains, ends the workers as an operator does, and compares.
func (f *fleet) finish(from *feed) *oracle {
	f.t.Helper()
	from.Stop()
	f.drained("detect_flaky", "uploads")
	for n, worker := range f.workers {
		require.Empty(f.t, f.ended(n), "a worker ended by itself")
		require.Zero(f.t, worker.Stop(ending), worker.Output())
	}
	return compare(f.t, f.kafka)
}

func setting(name string, standard int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return standard
}
