package peers

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/connect-testengine/connect-testengine/cmd/connect-testengine/headroom"
	"github.com/connect-testengine/connect-testengine/plugins/enrich/signature"
	"github.com/connect-testengine/connect-testengine/plugins/flaky/detect"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/formats"
	"github.com/connect-testengine/connect-testengine/tests/bench/peers/uploads"
)

// BenchmarkStages is the work of detect_verdicts.yaml without a broker and without
// the host, one thing after the other in one thread, in nanoseconds of CPU an
// execution: what unpacking, decoding and detection with its state cost, and what
// all other threads did meanwhile, which is collecting.
func BenchmarkStages(b *testing.B) {
	b.Run("100 thousand tests", func(b *testing.B) {
		stages(b, uploads.Load{Suites: 20, Tests: 5000, PerUpload: 1000}, setting("TESTENGINE_PEERS_RUNS", 30))
	})
	b.Run("5 million tests", func(b *testing.B) {
		stages(b, uploads.Load{Suites: 20, Tests: 250_000, PerUpload: 1000}, 2)
	})
}

// stagedBatch is how many uploads of a partition go through a stage before the next
// stage has them: as many as a batch holds when there is much to do.
const stagedBatch = 40

// staged is one partition of the input: packed uploads in a file.
type staged struct {
	file   *os.File
	ends   []int64
	suites []string
	table  *state.Table
	engine *detect.Engine
	done   int
}

type clocks struct{ unpack, decode, detect, executions float64 }

func stages(b *testing.B, load uploads.Load, runs int) {
	b.Helper()
	lanes := stageInput(b, load, runs)
	headroom.Keep(b.Context())
	for b.Loop() {
		store, err := state.Open(disk.OS(), state.Options{Dir: filepath.Join(b.TempDir(), "state"), Pipeline: "stages"})
		require.NoError(b, err)
		for number, lane := range lanes {
			lane.open(b, store, number)
		}
		runtime.GC()
		runtime.LockOSThread()
		process, thread := cpuOf(b, unix.CLOCK_PROCESS_CPUTIME_ID), cpuOf(b, unix.CLOCK_THREAD_CPUTIME_ID)
		var spent clocks
		for again := true; again; {
			again = false
			for number, lane := range lanes {
				again = lane.batch(b, &spent) || again
				store.Acked(number, int64(lane.done))
			}
		}
		process, thread = cpuOf(b, unix.CLOCK_PROCESS_CPUTIME_ID)-process, cpuOf(b, unix.CLOCK_THREAD_CPUTIME_ID)-thread
		runtime.UnlockOSThread()
		require.NoError(b, store.Close(b.Context()))
		n := spent.executions
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(spent.unpack/n, "ns/unpack")
		b.ReportMetric(spent.decode/n, "ns/decode")
		b.ReportMetric(spent.detect/n, "ns/detect")
		b.ReportMetric((process-thread)/n, "ns/others")
		b.ReportMetric((spent.unpack+spent.decode+spent.detect+process-thread)/n, "ns/execution")
	}
}

// cpuOf is the CPU time of the process or of the thread, in nanoseconds.
func cpuOf(b *testing.B, clock int32) float64 {
	b.Helper()
	var at unix.Timespec
	require.NoError(b, unix.ClockGettime(clock, &at))
	return float64(at.Nano())
}

// stageInput packs the uploads of each partition into a file.
func stageInput(b *testing.B, load uploads.Load, runs int) []*staged {
	b.Helper()
	packer, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(64<<10))
	require.NoError(b, err)
	lanes := make([]*staged, partitions)
	for number := range lanes {
		file, err := os.Create(filepath.Join(b.TempDir(), strconv.Itoa(number)))
		require.NoError(b, err)
		b.Cleanup(func() { _ = file.Close() })
		lanes[number] = &staged{file: file, ends: []int64{0}}
	}
	for run := range runs {
		for upload := range load.Uploads() {
			for suite, number := range uploads.Spread(load.Suites, partitions) {
				lane := lanes[uploads.Partition(number, partitions)]
				body, _ := load.Append(nil, suite, run, upload)
				packed := packer.EncodeAll(body, nil)
				_, err := lane.file.Write(packed)
				require.NoError(b, err)
				lane.ends = append(lane.ends, lane.ends[len(lane.ends)-1]+int64(len(packed)))
				lane.suites = append(lane.suites, string(uploads.Key(number)))
			}
		}
	}
	return lanes
}

func (s *staged) open(b *testing.B, store *state.Store, number int) {
	b.Helper()
	_, err := store.Restore(b.Context(), testengine.LogIdentity{ID: "stages", Partitions: partitions}, number, 0, 0)
	require.NoError(b, err)
	s.table, err = store.Table(context.Background(), "flaky_detect", number, "stages")
	require.NoError(b, err)
	settings := detect.DefaultSettings()
	settings.RunIdle = 1000
	settings.Filter.Disabled, settings.Broken.Disabled, settings.Storm.Disabled = true, true, true
	s.engine = detect.New(s.table, settings, func(x *testengine.Execution) testengine.Signature {
		return signature.Of(x.FailureReason, x.FailureExpanded())
	})
	s.done = 0
}

// batch takes the next uploads through all stages; false when there are none.
func (s *staged) batch(b *testing.B, spent *clocks) bool {
	b.Helper()
	first, last := s.done, min(s.done+stagedBatch, len(s.suites))
	if first == last {
		return false
	}
	packed := make([]byte, s.ends[last]-s.ends[first])
	_, err := s.file.ReadAt(packed, s.ends[first])
	require.NoError(b, err)
	unpacker, err := zstd.NewReader(nil, zstd.IgnoreChecksum(true), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	require.NoError(b, err)
	defer unpacker.Close()
	limits := assemble.DefaultLimits()
	limits.FactsOnly, limits.KeepDetails = true, assemble.KeepNone

	began := cpuOf(b, unix.CLOCK_THREAD_CPUTIME_ID)
	bodies := make([][]byte, last-first)
	for i := range bodies {
		from := s.ends[first]
		if bodies[i], err = unpacker.DecodeAll(packed[s.ends[first+i]-from:s.ends[first+i+1]-from], room(480<<10)); err != nil {
			b.Fatal(err)
		}
	}
	unpacked := cpuOf(b, unix.CLOCK_THREAD_CPUTIME_ID)
	results := make([]assemble.Result, len(bodies))
	for i := range results {
		org, suite, _ := strings.Cut(s.suites[first+i], "/")
		at := s.timeOf(first + i)
		results[i] = formats.Decode(assemble.Facts{
			Position: testengine.Position{LogID: "stages", Offset: int64(first + i)}, Org: org, Suite: suite, DefaultBranch: "main",
			UploadID: "up_" + strconv.Itoa(first+i), ReceivedAt: at, Time: at,
		}, "application/json", bodies[i], limits)
	}
	decoded := cpuOf(b, unix.CLOCK_THREAD_CPUTIME_ID)
	for i := range results {
		require.NoError(b, s.table.Begin(int64(first+i), s.timeOf(first+i)))
		s.engine.Advance(s.table.Time())
		for _, block := range results[i].Blocks {
			s.engine.Block(block)
			spent.executions += float64(len(block.Executions))
		}
		s.engine.Events()
		s.engine.Flush()
		require.NoError(b, s.table.End())
	}
	spent.unpack += unpacked - began
	spent.decode += decoded - unpacked
	spent.detect += cpuOf(b, unix.CLOCK_THREAD_CPUTIME_ID) - decoded
	s.done = last
	return true
}

// timeOf is the log's time of an upload: a partition gets a hundred a second.
func (*staged) timeOf(offset int) int64 { return 1_795_000_000_000 + int64(offset)*10 }

// room is memory that is not zeroed.
func room(size int) []byte {
	var text strings.Builder
	text.Grow(size)
	text.WriteByte(0)
	return unsafe.Slice(unsafe.StringData(text.String()), text.Cap())[:0]
}
