package bodies

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBodiesHaveTheSizesTheyAreNamedFor(t *testing.T) {
	tests := []struct {
		name string
		kind Kind
		size int
	}{
		{"a small body is a tenth of a megabyte", Small, 101_024},
		{"an mb1 body is a megabyte", MB1, 1_037_401},
		{"a std body is three megabytes", Std, 3_095_217},
		{"a big body is mostly spans", Big, 21_848_452},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			body := Generate(1, test.kind)
			require.InEpsilon(t, test.size, len(body), 0.03)
			var upload struct{ Data []struct{ Name string } }
			require.NoError(t, json.Unmarshal(body, &upload))
			require.Len(t, upload.Data, test.kind.Executions())
			require.Equal(t, body, Generate(1, test.kind))
			require.NotEqual(t, body, Generate(2, test.kind))
			t.Logf("%d bytes, %d an execution", len(body), len(body)/test.kind.Executions())
		})
	}
}
