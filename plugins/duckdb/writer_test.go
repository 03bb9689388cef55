package duckdb

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"
)

func TestAWriterThatIsBehindWaitsForTheOtherLanes(t *testing.T) {
	w := &writer{d: &Database{queue: make(chan *request)}, last: behindRows, group: 2}
	first := &request{batch: make(service.MessageBatch, 10)}
	second := &request{batch: make(service.MessageBatch, groupRows/blockRows)}
	go func() { w.d.queue <- second }()
	require.Equal(t, []*request{first, second}, w.gather(first))

	w.group = 1
	require.Equal(t, []*request{first}, w.gather(first), "a lane that is alone does not wait")

	w.last, w.group = behindRows-1, 2
	require.Equal(t, []*request{first}, w.gather(first), "nobody waits for a writer that keeps up")
}
