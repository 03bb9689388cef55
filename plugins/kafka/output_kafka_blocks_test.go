package kafka

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/schema/avro"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func TestKindsWithoutASchemaAreWrittenAsTheyAre(t *testing.T) {
	for _, kind := range []testengine.Kind{
		testengine.KindUpload, testengine.KindDuplicate, testengine.KindBlock, testengine.KindUploadReport, testengine.KindRun,
		testengine.KindVerdict, testengine.KindChange, testengine.KindTick,
		testengine.KindWindow, testengine.KindLate, testengine.KindRejected, testengine.KindApplied,
	} {
		err := avro.NewBuiltIn().Prepare(t.Context(), kind)
		require.Equal(t, hasSchema(kind), err == nil, "kind %s: %v", kind, err)
	}
}
