package peers

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/schema/avro"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/tests/harness"
)

// worker is our process, and where its group stands.
type worker struct {
	b       testing.TB
	process *harness.Process
	broker  int // its process id
	admin   *kadm.Client
	group   string
	in      *input
	lines   []line
}

// startOurs starts a pipeline on a new group at the begin of the input.
func startOurs(b testing.TB, kafka *harness.Kafka, in *input, pipeline string, set ...string) *worker {
	b.Helper()
	w := &worker{b: b, broker: kafka.Pid(1), admin: kadm.NewClient(kafka.Client()), group: "ours-" + strconv.FormatInt(time.Now().UnixNano(), 36), in: in}
	w.commitBeginning()
	w.process = harness.Start(b, harness.Options{
		Pipeline: pipeline, Set: append([]string{
			"kafka_transaction.0.group=" + w.group, "input.kafka_stateful.group=" + w.group, "input.kafka_stateful.topics.0=" + in.topic,
			"input.kafka_stateful.tick_interval=1h", // Flink reads the same topic, and knows no ticks.
		}, set...),
		Env: []string{"TESTENGINE_BROKERS=" + kafka.Addresses},
	})
	return w
}

func (w *worker) commitBeginning() {
	w.b.Helper()
	offsets := kadm.Offsets{}
	for partition := range int32(partitions) {
		offsets.AddOffset(w.in.topic, partition, 0, -1)
	}
	require.NoError(w.b, w.admin.CommitAllOffsets(w.b.Context(), w.group, offsets))
}

// until samples the process until the group has read everything.
func (w *worker) until(ctx context.Context) figures {
	w.b.Helper()
	perUpload := float64(w.in.executions) / float64(w.in.uploads)
	for {
		select {
		case <-w.process.Gone():
			require.FailNow(w.b, "our process ended", "%s", w.process.Output())
		case <-ctx.Done():
			require.FailNow(w.b, "ours did not come to the end", "%v\n%s", w.lines, w.process.Output())
		case <-time.After(100 * time.Millisecond):
		}
		offsets, err := w.admin.FetchOffsets(ctx, w.group)
		require.NoError(w.b, err)
		done := int64(0)
		offsets.Each(func(o kadm.OffsetResponse) { done += o.At })
		now := sample(w.b, w.process.Pid())
		now.broker, now.idle = sample(w.b, w.broker).cpu, idle(w.b)
		now.executions = float64(done) * perUpload
		w.lines = append(w.lines, now)
		if done >= w.in.uploads {
			w.lines[len(w.lines)-1].executions = float64(w.in.executions)
			return figuresOf(w.lines, float64(w.in.executions))
		}
	}
}

// sample reads a process's CPU time and memory.
func sample(b testing.TB, pid int) line {
	b.Helper()
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	require.NoError(b, err)
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	require.NoError(b, err)
	_, rest, _ = strings.Cut(string(status), "VmHWM:")
	peak, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	return line{at: float64(time.Now().UnixMilli()), cpu: (user + system) * 10, peak: peak} // a tick is 10 ms
}

// idle is the time in milliseconds that all cores together had nothing to do.
func idle(b testing.TB) float64 {
	b.Helper()
	stat, err := os.ReadFile("/proc/stat")
	require.NoError(b, err)
	fields := strings.Fields(string(stat[:bytes.IndexByte(stat, '\n')]))
	ticks, err := strconv.ParseFloat(fields[4], 64)
	require.NoError(b, err)
	return ticks * 10
}

// suspects are the tests of which a committed verdict says that they are flaky.
func suspects(b testing.TB, kafka *harness.Kafka) int {
	b.Helper()
	codec, tests := avro.NewBuiltIn(), map[string]bool{}
	kafka.Read("verdicts", func(r *kgo.Record) {
		var read testengine.Record
		require.NoError(b, codec.Decode(b.Context(), r.Value, &read))
		if verdict, ok := read.Value.(*testengine.Verdict); ok && strings.HasPrefix(string(verdict.Type), "flaky.") {
			tests[verdict.TestID] = true
		}
	})
	return len(tests)
}
