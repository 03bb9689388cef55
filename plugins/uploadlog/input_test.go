package uploadlog

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/uploadlog/disklog"
)

func TestAReplayGivesTheRecordsTheirOldNames(t *testing.T) {
	f := newFixture()
	f.lanes = 3
	u := f.open(t)
	for number := range 10 {
		require.NoError(t, write(t, u, upload(fmt.Sprint("suite", number), number)))
	}
	id := u.log.Identity().ID
	config := uploadLogInputConfig{path: "data/log", from: 2, batch: disklog.Limit{Entries: 3, Bytes: 1 << 20}}
	_, err := newUploadLogInput(config, service.MockResources(), f.disk)
	require.ErrorContains(t, err, "folder data/log is in use by another process")
	require.NoError(t, u.Close(t.Context()))

	in, err := newUploadLogInput(config, service.MockResources(), f.disk)
	require.NoError(t, err)
	require.NoError(t, in.Connect(t.Context()))
	var offsets []int64
	failed := false
	for {
		batch, ack, err := in.ReadBatch(t.Context())
		if errors.Is(err, service.ErrEndOfInput) {
			break
		}
		require.NoError(t, err)
		if len(offsets) == 3 && !failed {
			failed = true
			require.NoError(t, ack(t.Context(), errors.New("away")))
			continue
		}
		for _, m := range batch {
			position, ok := message.Position(m)
			require.True(t, ok)
			require.Equal(t, id, position.LogID)
			offsets = append(offsets, position.Offset)
		}
		require.NoError(t, ack(t.Context(), nil))
	}
	require.True(t, failed)
	require.Equal(t, []int64{2, 3, 4, 5, 6, 7, 8, 9}, offsets)
	require.NoError(t, in.Close(t.Context()))
}
