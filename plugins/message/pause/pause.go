// Package pause waits before something is tried again.
package pause

import (
	"context"
	"time"
)

// For waits that long, or until ctx ends: then it is false, and the caller ends too.
func For(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
