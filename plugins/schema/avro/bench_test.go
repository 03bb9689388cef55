package avro

import (
	"encoding/json"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// heap is as large as a small pipeline's, so that collections are as rare as there.
var heap []byte

func TestMain(m *testing.M) {
	heap = make([]byte, 64<<20)
	code := m.Run()
	runtime.KeepAlive(heap)
	os.Exit(code)
}

func BenchmarkAppendBlock(b *testing.B) {
	codec := NewBuiltIn()
	r := &testengine.Record{Kind: testengine.KindBlock, Value: typical(testengine.BlockSize)}
	data, err := codec.Append(nil, r)
	require.NoError(b, err)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	done := cpuPerExecution(b, testengine.BlockSize)
	for b.Loop() {
		data, _ = codec.Append(data[:0], r)
	}
	done()
	b.ReportMetric(float64(len(data))/testengine.BlockSize, "B/execution")
}

func BenchmarkDecodeBlock(b *testing.B) {
	codec := NewBuiltIn()
	data, err := codec.Append(nil, &testengine.Record{Kind: testengine.KindBlock, Value: typical(testengine.BlockSize)})
	require.NoError(b, err)
	var r testengine.Record
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	done := cpuPerExecution(b, testengine.BlockSize)
	for b.Loop() {
		if err := codec.Decode(b.Context(), data, &r); err != nil {
			b.Fatal(err)
		}
	}
	done()
}

// BenchmarkDecodeBlockByLibrary reads into maps, as a stock processor does.
func BenchmarkDecodeBlockByLibrary(b *testing.B) {
	data := appendBlock(nil, typical(testengine.BlockSize))
	schema := avro.MustParse(RecordBlock.Current().Text)
	b.ReportAllocs()
	done := cpuPerExecution(b, testengine.BlockSize)
	for b.Loop() {
		var v any
		if _, err := schema.Decode(data, &v); err != nil {
			b.Fatal(err)
		}
	}
	done()
}

// BenchmarkDecodeAnotherVersion is the slow path: resolution by the library.
func BenchmarkDecodeAnotherVersion(b *testing.B) {
	p := &plan{record: RecordBlock, current: avro.MustParse(RecordBlock.Current().Text)}
	p.resolved = p.current
	data := appendBlock(nil, typical(testengine.BlockSize))
	b.ReportAllocs()
	done := cpuPerExecution(b, testengine.BlockSize)
	for b.Loop() {
		if err := p.read(data, new(testengine.Record)); err != nil {
			b.Fatal(err)
		}
	}
	done()
}

func BenchmarkBlockAsJSON(b *testing.B) {
	block := typical(testengine.BlockSize)
	b.ReportAllocs()
	done := cpuPerExecution(b, testengine.BlockSize)
	for b.Loop() {
		if _, err := json.Marshal(block); err != nil {
			b.Fatal(err)
		}
	}
	done()
}

func BenchmarkVerdict(b *testing.B) {
	codec := NewBuiltIn()
	r := &testengine.Record{Kind: testengine.KindVerdict, Value: newRandom(3).verdict()}
	var data []byte
	var again testengine.Record
	b.ReportAllocs()
	for b.Loop() {
		data, _ = codec.Append(data[:0], r)
		if err := codec.Decode(b.Context(), data, &again); err != nil {
			b.Fatal(err)
		}
	}
}
