//go:build synctests

package kafka

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// simWatch is how long a run may take by the clock on the wall.
const simWatch = 2 * time.Minute

// TestSimulation runs the real input, output, transaction and state, several of
// each, in virtual time against simulated brokers, disks and networks that fail
// by a seed. TESTENGINE_SEEDS says how many seeds, TESTENGINE_FIRST_SEED from where
// on, TESTENGINE_SEED which one alone.
// The same is done to those that work without transactions: ranges for a store,
// and at least once, with state and without.
//
// A seed decides what is done to whom and when; which goroutine runs first is the
// scheduler's, so a find may need a few tries to be seen again. Seeds that found
// something are among the first 200 and so in every run: 32 (transaction markers
// counted for the log's time), 40 (a state that had seen markers alone was refused).
func TestSimulation(t *testing.T) { simulateSeeds(t, simTransactions()) }

func TestSimulationOfRanges(t *testing.T) { simulateSeeds(t, simRanges()) }

func TestSimulationOfStates(t *testing.T) { simulateSeeds(t, simStates()) }

func TestSimulationWithoutTransactions(t *testing.T) { simulateSeeds(t, simCopies()) }

func simulateSeeds(t *testing.T, kind simKind) {
	t.Helper()
	first, count := simNumber(t, "TESTENGINE_FIRST_SEED", 1), simNumber(t, "TESTENGINE_SEEDS", 200)
	alone := simNumber(t, "TESTENGINE_SEED", 0)
	verbose := alone > 0
	if verbose {
		first, count = alone, 1
	}
	shards := uint64(runtime.GOMAXPROCS(0))
	for shard := range min(shards, count) {
		t.Run(fmt.Sprintf("shard %d", shard), func(t *testing.T) {
			t.Parallel()
			for n, failed := shard, 0; n < count && failed < 3; n += shards {
				if !simulate(t, first+n, kind, verbose) {
					failed++
				}
			}
		})
	}
}

func simNumber(t *testing.T, variable string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, variable)
	return n
}

// simulate is one seed. Whatever is wrong is one line that says how to see it again.
func simulate(t *testing.T, seed uint64, kind simKind, verbose bool) (well bool) {
	t.Helper()
	again := fmt.Sprintf("make simulate SEED=%d", seed)
	var w *simWorld
	watch := time.AfterFunc(simWatch, func() {
		if w != nil && verbose {
			fmt.Println(strings.Join(w.history, "\n"))
		}
		debug.SetTraceback("all")
		panic("the simulation stands still: " + again)
	})
	defer watch.Stop()
	synctest.Test(t, func(t *testing.T) {
		w = newSimWorld(t, seed, kind)
		w.verbose = verbose
		w.run(seed)
	})
	if verbose {
		for _, line := range w.history {
			t.Log(line)
		}
	}
	if len(w.problems) > 0 {
		t.Errorf("seed %d, %d problems, see it again: %s: %s", seed, len(w.problems), again, w.problems[0])
	}
	return len(w.problems) == 0
}

// run is the world's course: uploads and trouble, then peace, then the reckoning.
func (w *simWorld) run(seed uint64) {
	plan := rand.New(rand.NewPCG(seed, 2))
	for range 1 + plan.IntN(3) {
		w.join()
	}
	span := 4*time.Second + time.Duration(plan.Int64N(int64(8*time.Second)))
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		w.feed(40+plan.IntN(100), span, rand.New(rand.NewPCG(seed, 3)))
	}()
	for range 2 + plan.IntN(9) {
		time.Sleep(time.Duration(plan.Int64N(int64(span) / 4)))
		w.disturb(plan)
		w.committed()
	}
	<-fed
	w.heal()
	if !w.settled() {
		w.wrong("the pipeline does not come to the end of its log, committed %v", w.committed())
	}
	w.end()
	w.kind.check(w)
	w.client.Close()
	w.cluster.Close()
	time.Sleep(3 * time.Minute) // What is still closing may end.
}

// end lets all processes go in order.
func (w *simWorld) end() {
	w.mu.Lock()
	nodes := append([]*simNode{}, w.nodes...)
	for _, n := range nodes {
		n.wanted = false
	}
	w.mu.Unlock()
	for _, n := range nodes {
		n.worker.leave()
	}
	for _, n := range nodes {
		if !n.worker.process.running() {
			continue // It waits for its burial.
		}
		select {
		case <-n.worker.ended:
		case <-time.After(time.Minute):
			w.wrong("%s does not end", n.name)
		}
	}
	for _, k := range w.lives {
		k.process.bury()
		<-k.ended
	}
}
