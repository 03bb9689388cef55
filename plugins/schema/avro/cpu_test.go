package avro

import (
	"syscall"
	"testing"
	"time"
)

// cpuPerExecution reports what the process used between the two calls: on a
// busy machine the wall clock says little.
func cpuPerExecution(b *testing.B, executions int) (done func()) {
	from := cpuTime()
	return func() {
		used := cpuTime() - from
		b.ReportMetric(float64(used.Nanoseconds())/float64(b.N)/float64(executions), "cpu-ns/execution")
	}
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
