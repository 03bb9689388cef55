// Package headroom lets the heap of a process grow by what collections cost. The
// binary does so, and the benchmarks that run its plugins in their own process.
package headroom

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// headroom is how much the heap may grow at least between two garbage
// collections. What a block needs lives for milliseconds, so fewer collections
// find more of it dead.
const headroom = 160 << 20

// lookEvery is how soon a collection is noticed: until then the heap grows by
// the percentage of before.
const lookEvery = 25 * time.Millisecond

// Keep sets the percentage by which the heap may grow anew after every
// collection until ctx ends, unless GOGC or GOMEMLIMIT say what is wanted. A fixed percentage
// lets bodies and pages of state, which no collection looks through, double the
// heap; growth is measured by what collections cost instead.
func Keep(ctx context.Context) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	go func() {
		current, collections := debug.SetGCPercent(100), uint64(0)
		cycles := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		for {
			if metrics.Read(cycles); cycles[0].Value.Uint64() != collections {
				collections = cycles[0].Value.Uint64()
				current = setGrowth(current)
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	}()
}

// setGrowth sets the percentage that fits the heap, unless the current one is
// about that: setting it stops the world for a moment.
func setGrowth(current int) int {
	heap := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/heap:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"},
	}
	metrics.Read(heap)
	percent := growth(heap[0].Value.Uint64(), heap[1].Value.Uint64(), heap[2].Value.Uint64()+heap[3].Value.Uint64())
	if difference := percent - current; difference <= current/16 && difference >= -current/16 {
		return current
	}
	debug.SetGCPercent(percent)
	return percent
}

// growth is the percentage of GOGC: the heap may grow by the headroom, by as much
// as is looked through, so that collecting costs a bounded share of filling it,
// and by an eighth of the rest, whose spans are swept.
func growth(live, scanned, roots uint64) int {
	scanned = min(scanned, live)
	more := headroom + scanned + roots + (live-scanned)/8
	return max(int(100*more/max(live+roots, 4<<20)), 1)
}
