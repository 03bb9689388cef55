package duckdb

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/tests/storetest"
)

func worldBatch(r storetest.Record) (batch service.MessageBatch) {
	add := func(kind testengine.Kind, value any) {
		m := service.NewMessage(nil)
		message.Set(m, kind, value)
		m.MetaSetMut(testengine.MetaLogID, r.LogID)
		m.MetaSetMut(testengine.MetaPartition, int64(r.Partition))
		m.MetaSetMut(testengine.MetaOffset, r.Offset)
		m.MetaSetMut(testengine.MetaLogTime, r.Report.Time)
		batch = append(batch, m)
	}
	for _, b := range r.Blocks {
		add(testengine.KindBlock, b)
	}
	for _, v := range r.Verdicts {
		add(testengine.KindVerdict, v)
	}
	for _, run := range r.Runs {
		add(testengine.KindRun, run)
	}
	add(testengine.KindUploadReport, r.Report)
	return batch
}

func TestConformance(t *testing.T) {
	for _, test := range []struct {
		name    string
		seed    uint64
		tagSets int
	}{
		{"tag sets hold all tags", 1, 1000},
		{"the uploads' tags make too many sets", 2, 40},
		{"executions' tags go to the side table", 3, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			conf := testSettings(databasePath(t))
			conf.tagSets = test.tagSets
			d := openDatabase(t, conf)
			w := storetest.NewWorld(test.seed)
			for _, r := range w.Records {
				require.NoError(t, d.write(t.Context(), worldBatch(r)))
			}
			storetest.Run(t, w, d)
		})
	}
}
