package cut_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/chunk/cut"
	"github.com/connect-testengine/connect-testengine/plugins/upload/bodies"
)

func BenchmarkJSON(b *testing.B) {
	for _, kind := range []bodies.Kind{bodies.MB1, bodies.Std, bodies.Big} {
		b.Run(string(kind), func(b *testing.B) {
			body := bodies.Generate(1, kind)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				chunks, err := cut.JSON(body, []string{"data"}, 900_000)
				require.NoError(b, err)
				require.NotEmpty(b, chunks)
			}
		})
	}
}

func TestJoin(t *testing.T) {
	body := bodies.Generate(1, bodies.Big)
	chunks, err := cut.JSON(body, []string{"data"}, 900_000)
	require.NoError(t, err)
	type upload struct {
		RunEnv json.RawMessage   `json:"run_env"`
		Data   []json.RawMessage `json:"data"`
	}
	var whole, joined upload
	require.NoError(t, json.Unmarshal(body, &whole))
	for i := range chunks {
		var part upload
		doc := chunks[i].Append(nil)
		require.LessOrEqual(t, len(doc), 900_000)
		require.NoError(t, json.Unmarshal(doc, &part))
		require.Equal(t, whole.RunEnv, part.RunEnv)
		require.Len(t, joined.Data, chunks[i].First)
		joined.Data = append(joined.Data, part.Data...)
	}
	require.Equal(t, whole.Data, joined.Data)
}
