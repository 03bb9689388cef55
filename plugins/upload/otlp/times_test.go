package otlp

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

func TestAStartFarAheadOfItsArrivalIsNone(t *testing.T) {
	span := jsonSpan("test.execution", trace1, "", "", "test.case.name", "a", "test.case.result.status", "pass") // begins at 1795327681000
	body := requests(request1(resourceMain, span))
	for received, started := range map[int64]int64{1795327681000 - farAhead: 1795327681000, 1795327681000 - farAhead - 1: 0, 0: 1795327681000} {
		facts := testFacts
		facts.ReceivedAt = received
		result := Decode(facts, JSON, []byte(body), "", limits(assemble.KeepAll))
		e := result.Blocks[0].Executions[0]
		require.Equal(t, started, e.StartedAt)
		require.InDelta(t, 0.25, e.Duration, 0, "how long it took is right all the same")
		require.Equal(t, started == 0, len(result.Report.Problems) == 1)
		if started == 0 {
			require.Equal(t, "start", result.Report.Problems[0].Field)
		}
	}
}
