package otlp

import (
	"syscall"
	"testing"
	"time"
)

// processorTime is what the process has used: other load on the machine hardly
// changes it, as it does the wall time.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
