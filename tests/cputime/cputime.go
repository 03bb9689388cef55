// Package cputime tells benchmarks what their process has used: other load on
// the machine hardly changes it, as it does the wall clock.
package cputime

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Used is the processor time of the process so far, user and system.
func Used(b testing.TB) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
