package detect

import (
	"maps"
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/flaky/wire"
)

// Divisible is a table that is shared out over more partitions: a *state.Table.
type Divisible interface {
	State
	Range(yield func(key, cell uint64, value []byte) bool)
	Timers(yield func(id uint64, due int64) bool)
}

// Divide drops what would speak for suites that are not mine: they themselves,
// their runs, and their tests that failed. Cells of tests that never failed say
// nothing of their suite; they stay, and nobody asks for them.
func Divide(state Divisible, mine func(org, suite string) bool) {
	foreign := make(map[uint64]*suite) // by seed
	var keys []uint64
	state.Range(func(key, _ uint64, value []byte) bool {
		if seed := seedOf(value); seed != 0 && value[0] == kindSuite && suiteKey(seed) == key {
			s := &suite{}
			s.read(value)
			if !mine(s.org, s.name) {
				foreign[seed] = s
			}
		}
		return true
	})
	state.Range(func(key, _ uint64, value []byte) bool {
		if isForeign(state, foreign, key, value) {
			keys = append(keys, key)
		}
		return true
	})
	// The order decides nothing but how the table lies in memory.
	slices.Sort(keys)
	for _, key := range keys {
		if value := state.Value(key); len(value) > 0 && value[0] == kindRun {
			dropOutcomes(state, key, value)
		}
		state.Delete(namesKey(key))
		state.Delete(key)
		state.CancelTimer(key)
	}
	for _, seed := range slices.Sorted(maps.Keys(foreign)) {
		dropLines(state, foreign[seed])
	}
}

// isForeign says whether a value belongs to one of the suites. Passes have no kind
// in front and may look like anything, but not like the key of what they look like.
func isForeign(state Divisible, foreign map[uint64]*suite, key uint64, value []byte) bool {
	if len(value) == 0 {
		return false
	}
	switch value[0] {
	case kindSuite, kindRun:
		return foreign[seedOf(value)] != nil
	case kindRecord:
		return foreign[seedOf(state.Value(namesKey(key)))] != nil
	}
	return false
}

// seedOf is the seed behind the kind of a value, 0 of none.
func seedOf(value []byte) uint64 {
	if len(value) < 9 {
		return 0
	}
	b := wire.Reader{Bytes: value[1:]}
	return b.U64()
}

func dropOutcomes(state Divisible, key uint64, value []byte) {
	r := &run{}
	r.read(value)
	for page := range r.pages {
		state.Delete(outcomesKey(key, page))
	}
}

// dropLines drops a suite's settings, hosts and failures, and the commits and passes that
// it remembers.
func dropLines(state Divisible, s *suite) {
	for _, kind := range []byte{kindHosts, kindRecent, kindSettings} {
		state.Delete(keyOf(s.seed, kind, 0))
	}
	for slot := s.oldestSlot + 1; slot <= s.nextSlot; slot++ {
		slotKey := keyOf(s.seed, kindSlot, uint64(slot))
		if value := state.Value(slotKey); len(value) > 1 {
			b := wire.Reader{Bytes: value[1:]}
			state.Delete(keyOf(s.seed, kindCommit, b.U64()))
		}
		state.Delete(slotKey)
	}
	for slot := s.oldestPasses + 1; slot <= s.nextSlot; slot++ {
		for page := uint32(0); page <= s.nextDense/pageTests; page++ {
			state.Delete(pageKey(s.seed, slot, page))
		}
	}
}
