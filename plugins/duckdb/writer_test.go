package duckdb

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAWriterThatIsBehindWaitsForMoreRows(t *testing.T) {
	w := &writer{d: &Database{queue: make(chan *request)}, last: behindRows}
	first, second := &request{rows: 10}, &request{rows: enoughRows}
	go func() { w.d.queue <- second }()
	require.Equal(t, []*request{first, second}, w.gather(first))

	w.last = behindRows - 1
	require.Equal(t, []*request{first}, w.gather(first), "nobody waits for a writer that keeps up")
}
