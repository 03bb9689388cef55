package uploadlog

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/uploadlog/disklog"
)

func TestThatABodyIsGivenIsForTheLogAlone(t *testing.T) {
	log, err := disklog.Open(crashdisk.New(1), "data/log", disklog.Options{Random: rand.NewChaCha8([32]byte{1})})
	require.NoError(t, err)
	m := service.NewMessage([]byte("{}"))
	m.MetaSetMut(testengine.MetaKind, string(testengine.KindUpload))
	m.MetaSetMut(testengine.MetaBodyGiven, true)
	entries, err := entriesFromMessage(m, log, 1, false)
	require.NoError(t, err)
	require.True(t, entries[0].Given)
	for _, pair := range entries[0].Meta {
		require.NotEqual(t, testengine.MetaBodyGiven, pair.Name)
	}
	require.NoError(t, log.Close())
}
