package message

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// TestNumbersThatAMappingTakesOutOfJSONAreRead has metadata as other people's
// streams make it: the host keeps a number of JSON as its text.
func TestNumbersThatAMappingTakesOutOfJSONAreRead(t *testing.T) {
	for content, want := range map[string]int64{
		`{"at": 1764000000123}`:   1764000000123,
		`{"at": 1764000000123.0}`: 1764000000123,
		`{"at": 1.5e3}`:           1500,
		`{"at": "1764000000123"}`: 1764000000123,
		`{"at": -7}`:              -7,
	} {
		mapping, err := bloblang.Parse(`meta received_at = this.at`)
		require.NoError(t, err)
		m, err := service.NewMessage([]byte(content)).BloblangQuery(mapping)
		require.NoError(t, err)
		got, ok := Int(m, testengine.MetaReceivedAt)
		require.True(t, ok, content)
		require.Equal(t, want, got, content)
	}
	m := service.NewMessage(nil)
	m.MetaSetMut(testengine.MetaReceivedAt, map[string]any{})
	_, ok := Int(m, testengine.MetaReceivedAt)
	require.False(t, ok)
}
