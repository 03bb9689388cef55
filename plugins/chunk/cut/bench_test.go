package cut_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/chunk/cut"
	"github.com/connect-testengine/connect-testengine/plugins/upload/bodies"
)

// BenchmarkCut finds the chunks of uploads and writes them, beside a scan of
// encoding/json over the same bytes.
func BenchmarkCut(b *testing.B) {
	for _, kind := range []bodies.Kind{bodies.MB1, bodies.Big} {
		body := bodies.Generate(1, kind)
		b.Run(string(kind), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				chunks, err := cut.JSON(body, []string{"data"}, 900_000)
				require.NoError(b, err)
				for i := range chunks {
					_ = chunks[i].Append(make([]byte, 0, chunks[i].Len()))
				}
			}
		})
		b.Run(string(kind)+"/json.Valid", func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				require.True(b, json.Valid(body))
			}
		})
	}
}
