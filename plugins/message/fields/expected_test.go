package fields

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"
)

func TestAResourceThatAProcessorNeedsIsMissedBeforeItsFirstMessage(t *testing.T) {
	res := service.MockResources()
	require.NoError(t, Expected(res))
	Expect(res, "upload_decode", "testengine_state", "")
	require.NoError(t, Expected(res), "without a label none is needed")
	closed := Expect(res, "flaky_detect", "testengine_state", "stats")
	err := Expected(res)
	require.ErrorIs(t, err, ErrResource)
	require.ErrorContains(t, err, `flaky_detect needs the testengine_state "stats", which is not in the configuration`)
	require.NoError(t, Expected(service.MockResources()), "of other streams nobody is told")
	closed()
	require.NoError(t, Expected(res), "a stream that has ended needs nothing, and may come back with other labels")
}
