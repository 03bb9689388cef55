// Package bench holds the benchmarks behind RESULTS.md: whole pipelines and
// whole processes, beside stock Redpanda Connect doing the same job in the same
// run. `make bench` runs them.
package bench

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/cmd/connect-testengine/headroom"
	_ "github.com/connect-testengine/connect-testengine/plugins/all"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/bodies"
	"github.com/connect-testengine/connect-testengine/tests/cputime"
)

// lanes is how many partitions the source plays; suitesPerLane spread over them.
const (
	lanes         = 4
	suitesPerLane = 16
	batchUploads  = 16
)

// source plays a log: it hands out batches of uploads of one lane after another,
// one batch a lane in flight, until it has sent as many uploads as asked.
type source struct {
	ours      bool
	templates [][]byte
	left      *atomic.Int64
	free      chan int
	offsets   [lanes]int64
	started   bool
	resources *service.Resources
}

func (s *source) Connect(ctx context.Context) error {
	if s.started || !s.ours {
		return nil
	}
	s.started = true
	var err error
	identity := testengine.LogIdentity{ID: "bench", Partitions: lanes}
	access := s.resources.AccessCustomResource(ctx, "testengine_state", "state", func(v any) {
		follower, _ := v.(testengine.LogFollower)
		for lane := range lanes {
			if _, failed := follower.Restore(ctx, identity, lane, 0, 0); failed != nil {
				err = failed
			}
		}
	})
	if access != nil {
		return access
	}
	return err
}

func (s *source) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	if s.left.Add(-batchUploads) <= -batchUploads {
		return nil, nil, service.ErrEndOfInput
	}
	var lane int
	select {
	case lane = <-s.free:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	batch := make(service.MessageBatch, 0, batchUploads)
	for range batchUploads {
		offset := s.offsets[lane]
		s.offsets[lane]++
		template := s.templates[int(offset)%len(s.templates)]
		m := service.NewMessage(template)
		if s.ours {
			s.describe(m, lane, offset)
		}
		batch = append(batch, m)
	}
	return batch, func(context.Context, error) error {
		s.free <- lane
		return nil
	}, nil
}

func (s *source) describe(m *service.Message, lane int, offset int64) {
	at := int64(1_795_000_000_000) + offset*50
	m.MetaSetMut(testengine.MetaKind, string(testengine.KindUpload))
	m.MetaSetMut(testengine.MetaOrg, "acme")
	m.MetaSetMut(testengine.MetaSuite, "suite-"+strconv.Itoa(lane*suitesPerLane+int(offset)%suitesPerLane))
	m.MetaSetMut(testengine.MetaDefaultBranch, "main")
	m.MetaSetMut(testengine.MetaContentType, "application/json")
	m.MetaSetMut(testengine.MetaUploadID, "up_"+strconv.Itoa(lane)+"_"+strconv.FormatInt(offset, 10))
	m.MetaSetMut(testengine.MetaReceivedAt, at)
	m.MetaSetMut(testengine.MetaLogTime, at)
	m.MetaSetMut(testengine.MetaLogID, "bench")
	m.MetaSetMut(testengine.MetaPartition, int64(lane))
	m.MetaSetMut(testengine.MetaOffset, offset)
}

func (*source) Close(context.Context) error { return nil }

// sink counts executions: those of blocks, or one a message.
type sink struct {
	ours       bool
	executions atomic.Int64
}

func (*sink) Connect(context.Context) error { return nil }

func (s *sink) WriteBatch(_ context.Context, batch service.MessageBatch) error {
	if !s.ours {
		s.executions.Add(int64(len(batch)))
		return nil
	}
	for _, m := range batch {
		if message.Kind(m) != testengine.KindBlock {
			continue
		}
		block, err := message.Get[testengine.Block](m)
		if err != nil {
			return err
		}
		s.executions.Add(int64(len(block.Executions)))
	}
	return nil
}

func (*sink) Close(context.Context) error { return nil }

// through runs n uploads through the processors and reports executions a second
// and CPU an execution. The heap grows as that of the binary does, for either.
func through(b *testing.B, ours bool, kind bodies.Kind, yaml string) {
	b.Helper()
	headroom.Keep(b.Context())
	env := service.GlobalEnvironment().Clone()
	to := &sink{ours: ours}
	var left atomic.Int64
	var templates [][]byte
	for seed := range uint64(8) {
		templates = append(templates, bodies.Generate(seed, kind))
	}
	require.NoError(b, env.RegisterBatchInput("bench_source", service.NewConfigSpec(),
		func(_ *service.ParsedConfig, res *service.Resources) (service.BatchInput, error) {
			s := &source{ours: ours, templates: templates, left: &left, free: make(chan int, lanes), resources: res}
			for lane := range lanes {
				s.free <- lane
			}
			return s, nil
		}))
	require.NoError(b, env.RegisterBatchOutput("bench_sink", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
			return to, service.BatchPolicy{}, lanes, nil
		}))
	builder := env.NewStreamBuilder()
	builder.SetSchema(env.FullConfigSchema("", ""))
	require.NoError(b, builder.SetYAML(yaml))
	stream, err := builder.Build()
	require.NoError(b, err)
	uploads := int64(b.N)
	left.Store(max(uploads/batchUploads, 1) * batchUploads)
	b.ReportAllocs()
	b.ResetTimer()
	begin, cpu := time.Now(), cputime.Used(b)
	require.NoError(b, stream.Run(b.Context()))
	seconds, used := time.Since(begin).Seconds(), (cputime.Used(b) - cpu).Seconds()
	b.StopTimer()
	done := float64(to.executions.Load())
	require.Positive(b, done)
	b.ReportMetric(done/seconds, "executions/s")
	b.ReportMetric(used/done*1e6, "µsCPU/execution")
}

const head = `
input: {bench_source: {}}
output: {bench_sink: {}}
logger: {level: ERROR}
`

// stockPipeline is the same question asked of stock Connect: has this test
// another result than before? A cache holds the last result of each test.
const stockPipeline = head + `
cache_resources:
  - label: results
    memory: {default_ttl: 24h}
pipeline:
  threads: 2
  processors:
    - mapping: 'root = this.data.map_each(e -> e.merge({"branch": this.run_env.branch, "tags": this.tags}))'
    - unarchive: {format: json_array}
    - mutation: |
        meta test = this.scope + " " + this.name
        meta result = this.result
    - branch:
        processors:
          - cache: {resource: results, operator: get, key: '${! meta("test") }'}
          - catch:
              - mapping: root = ""
        result_map: meta before = content().string()
    - cache: {resource: results, operator: set, key: '${! meta("test") }', value: '${! meta("result") }'}
    - mutation: 'root.flaky = meta("before") != "" && meta("before") != meta("result")'
`

func BenchmarkDecodeDetectEnrich(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		through(b, true, bodies.MB1, head+`
testengine_state:
  - {label: state, path: `+b.TempDir()+`}
pipeline:
  threads: 4
  processors:
    - upload_decode: {state: state}
    - flaky_detect: {state: state}
    - execution_enrich: {}
`)
	})
	b.Run("stock", func(b *testing.B) { through(b, false, bodies.MB1, stockPipeline) })
}
