package message

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func TestALineOfTheLogSaysWhereARecordStands(t *testing.T) {
	m := service.NewMessage(nil)
	require.Equal(t, "a message of no log", Place(m))
	m.MetaSetMut(testengine.MetaLogID, "7c1f")
	m.MetaSetMut(testengine.MetaPartition, int64(3))
	m.MetaSetMut(testengine.MetaOffset, int64(17))
	require.Equal(t, "log 7c1f lane 3 offset 17", Place(m))
	m.MetaSetMut(testengine.MetaTopic, "uploads")
	require.Equal(t, "topic uploads partition 3 offset 17", Place(m))
	verdict := service.NewMessage(nil)
	Follow(verdict, m)
	require.Equal(t, "topic uploads partition 3 offset 17", Place(verdict), "what was made of a record still says it")
}

func TestAPanicIsToldWithItsRecordAndGoesOn(t *testing.T) {
	var said bytes.Buffer
	log := service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(&said, nil)))
	m := service.NewMessage(nil)
	m.MetaSetMut(testengine.MetaTopic, "uploads")
	m.MetaSetMut(testengine.MetaPartition, "3") // as a mapping may set it
	m.MetaSetMut(testengine.MetaOffset, int64(17))
	work := func(dies bool) {
		defer Died(log, "flaky_detect", m)
		if dies {
			panic("index out of range")
		}
	}
	work(false)
	require.Empty(t, said.String())
	require.PanicsWithValue(t, "index out of range", func() { work(true) })
	require.Contains(t, said.String(), "flaky_detect died of topic uploads partition 3 offset 17, which is a mistake of this program, please report it: index out of range")
}
