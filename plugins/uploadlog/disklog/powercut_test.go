package disklog

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
)

// TestPowerCuts appends at random, lets the machine stop at a random operation,
// loses what was not synced, and opens the log again: everything answered is
// there once and in order, nothing is there that was never sent, T never goes back.
func TestPowerCuts(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { powerCuts(t, seed, small(), 2000) })
	}
	// Large bodies make groups of whole blocks, mixed with small groups that begin anywhere.
	large := small()
	large.SegmentBytes = 512 << 10
	for seed := range uint64(100) {
		t.Run(fmt.Sprint("whole blocks, seed ", seed), func(t *testing.T) { powerCuts(t, seed, large, 45_000) })
	}
	// Small groups beside large ones.
	large.smallBytes = 8_000
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("small ones beside large ones, seed ", seed), func(t *testing.T) { powerCuts(t, seed, large, 20_000) })
	}
}

func powerCuts(t *testing.T, seed uint64, options Options, padding int) {
	d := crashdisk.New(seed)
	random := rand.New(rand.NewPCG(seed, 1))
	sent := map[string]int{} // Lane of each upload that was ever sent.
	var answered []string
	var known []Record
	id := ""
	for life := range 5 {
		d.StopAfter(20 + random.IntN(150))
		l, err := Open(d, "data/log", again(options))
		if err == nil {
			if id == "" && l.End() > 0 {
				id = l.Identity().ID
			}
			answered = append(answered, someLife(t, l, random, life, padding, sent)...)
		} else {
			require.ErrorIs(t, err, crashdisk.ErrStopped, "only the stopped machine keeps the log from opening")
		}
		if random.IntN(3) == 0 {
			d.Kill()
		} else {
			d.Crash()
		}
		l, err = Open(d, "data/log", again(options))
		require.NoError(t, err)
		known = requireHolds(t, l, answered, sent, known)
		require.NoError(t, l.Close())
		d.Kill()
	}
}

// again are the same options with new randomness, as another process has it.
func again(o Options) Options {
	o.Random = small().Random
	return o
}

// someLife appends from three goroutines until the machine stops and returns what was answered.
func someLife(t *testing.T, l *Log, random *rand.Rand, life, padding int, sent map[string]int) (answered []string) {
	t.Helper()
	var mu sync.Mutex
	var writers sync.WaitGroup
	for writer := range 3 {
		mine := rand.New(rand.NewPCG(random.Uint64(), uint64(writer)))
		writers.Go(func() {
			for number := range 60 {
				name := fmt.Sprintf("%d.%d.%d", life, writer, number)
				mu.Lock()
				sent[name] = writer
				mu.Unlock()
				e := uploadEntry(name, writer, mine.Int64N(1000), mine.IntN(3)*mine.IntN(padding))
				if appendNow(l, e) != nil {
					return
				}
				mu.Lock()
				answered = append(answered, name)
				mu.Unlock()
				if number%9 == 8 {
					_ = l.Checkpoint()
				}
			}
		})
	}
	writers.Wait()
	_ = l.Close()
	return answered
}

// requireHolds compares the log with what is known of it and returns what it holds.
func requireHolds(t *testing.T, l *Log, answered []string, sent map[string]int, before []Record) []Record {
	t.Helper()
	all := everything(t, l)
	require.GreaterOrEqual(t, len(all), len(before), "what was once given out stays")
	times := int64(0)
	at := map[string]int{}
	for i, r := range all {
		require.EqualValues(t, i, r.Number)
		require.GreaterOrEqual(t, r.Time, times)
		times = r.Time
		name := nameOf(r)
		lane, known := sent[name]
		require.True(t, known, "%s was never sent", name)
		require.Equal(t, lane, r.Lane)
		require.True(t, strings.HasPrefix(string(r.Body), name+":"))
		_, twice := at[name]
		require.False(t, twice, "%s is there twice", name)
		at[name] = i
		if i < len(before) {
			require.Equal(t, before[i], r)
		}
	}
	require.Equal(t, times, l.Time())
	last := map[int]int{}
	for _, name := range answered {
		i, ok := at[name]
		require.True(t, ok, "%s was answered and is gone", name)
		require.GreaterOrEqual(t, i, last[sent[name]], "%s stands in the wrong order", name)
		last[sent[name]] = i
	}
	return all
}
