package avro

import (
	"testing"

	"github.com/connect-testengine/connect-testengine/tests/cputime"
)

// cpuPerExecution reports what the process used between the two calls: on a
// busy machine the wall clock says little.
func cpuPerExecution(b *testing.B, executions int) (done func()) {
	from := cputime.Used(b)
	return func() {
		used := cputime.Used(b) - from
		b.ReportMetric(float64(used.Nanoseconds())/float64(b.N)/float64(executions), "cpu-ns/execution")
	}
}
