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

func TestASegmentThatWasTrimmedIsWrittenAgain(t *testing.T) {
	d := crashdisk.New(1)
	l := mustOpen(t, d, small())
	fill := func(from, until int) {
		for number := from; number < until; number++ {
			require.NoError(t, appendNow(l, uploadEntry(fmt.Sprintf("%02d", number), 0, 1, 5000)))
		}
	}
	fill(0, 30)
	l.Done(0, 30, everything(t, l))
	require.NoError(t, l.Trim())
	require.Len(t, l.recycled, 4, "no more than that are put aside")
	created := 0
	d.Hook(func(op crashdisk.Op) error {
		if op.Verb == "create" && strings.Contains(op.Name, segmentPrefix) {
			created++
		}
		return nil
	})
	begin := everything(t, l)[0].Number
	fill(30, 48) // The last segment has room for more.
	require.Zero(t, created)
	want := names(t, l)
	require.Equal(t, fmt.Sprintf("%02d", begin), want[0])
	require.NoError(t, l.Close())

	require.NoError(t, d.Remove("data/log/checkpoint"))
	l = mustOpen(t, d, small())
	require.Equal(t, want, names(t, l), "what an older segment left is not read")
	require.NoError(t, appendNow(l, uploadEntry("next", 0, 1, 10)))
	require.Equal(t, append(want, "next"), names(t, l))
	d.Kill()
	d.SetSpace(40 << 10)
	options := small()
	options.MinFreeBytes = 10 << 10
	l = mustOpen(t, d, options)
	require.ErrorIs(t, appendNow(l, uploadEntry("full", 0, 1, 10)), ErrFull)
	require.Empty(t, l.recycled, "a full disk gets them back")
	d.SetSpace(1 << 30)
	require.NoError(t, l.Close())
}

// TestPowerCutsWithSegmentsUsedAgain appends, reads, is done and trims at random
// until the machine stops: what was answered and not done is there, numbers name
// what they named before, and nothing of an older segment shows.
func TestPowerCutsWithSegmentsUsedAgain(t *testing.T) {
	again := 0
	for seed := range uint64(200) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { again += segmentsUsedAgain(t, seed) })
	}
	require.Greater(t, again, 200, "segments were used again")
}

type trimmedLife struct {
	log      *Log
	mu       sync.Mutex
	sent     map[string]bool
	answered map[string]bool
	named    map[int64]string // What was given out under a number.
	next     [3]int64
}

func segmentsUsedAgain(t *testing.T, seed uint64) (again int) {
	d := crashdisk.New(seed)
	random := rand.New(rand.NewPCG(seed, 3))
	life := &trimmedLife{sent: map[string]bool{}, answered: map[string]bool{}, named: map[int64]string{}}
	for number := range 6 {
		d.StopAfter(60 + random.IntN(300))
		d.Hook(func(op crashdisk.Op) error {
			if op.Verb == "rename" && strings.Contains(op.Name, segmentPrefix) {
				again++
			}
			return nil
		})
		var err error
		if life.log, err = Open(d, "data/log", small()); err == nil {
			life.run(t, random, number)
		} else {
			require.ErrorIs(t, err, crashdisk.ErrStopped)
		}
		if random.IntN(3) == 0 {
			d.Kill()
		} else {
			d.Crash()
		}
		life.log, err = Open(d, "data/log", small())
		require.NoError(t, err)
		life.requireHolds(t)
		require.NoError(t, life.log.Close())
		d.Kill()
	}
	return again
}

// run appends from three goroutines, each its own lane; each is done with what it reads and trims.
func (f *trimmedLife) run(t *testing.T, random *rand.Rand, life int) {
	t.Helper()
	var writers sync.WaitGroup
	for lane := range f.next {
		f.next[lane] = f.log.Cursor(lane)
		mine := rand.New(rand.NewPCG(random.Uint64(), uint64(lane)))
		writers.Go(func() {
			for number := range 60 {
				name := fmt.Sprintf("%d.%d.%d", life, lane, number)
				f.mu.Lock()
				f.sent[name] = true
				f.mu.Unlock()
				if appendNow(f.log, uploadEntry(name, lane, 1, 2000+mine.IntN(4000))) != nil {
					return
				}
				f.mu.Lock()
				f.answered[name] = true
				f.mu.Unlock()
				if mine.IntN(3) == 0 && !f.beDone(t, lane) {
					return
				}
			}
		})
	}
	writers.Wait()
	_ = f.log.Close()
}

func (f *trimmedLife) beDone(t *testing.T, lane int) bool {
	records, err := f.log.Read(lane, f.next[lane], Limit{Entries: 50, Bytes: 1 << 20})
	if err != nil || len(records) == 0 {
		return err == nil
	}
	f.mu.Lock()
	for i := range records {
		f.note(t, records[i])
		delete(f.answered, nameOf(records[i]))
	}
	f.mu.Unlock()
	f.next[lane] = records[len(records)-1].Number + 1
	f.log.Done(lane, f.next[lane], records)
	_ = f.log.Trim()
	return true
}

func (f *trimmedLife) note(t *testing.T, r Record) {
	name := nameOf(r)
	require.True(t, f.sent[name], "%s was never sent", name)
	require.True(t, strings.HasPrefix(string(r.Body), name+":"))
	if before, known := f.named[r.Number]; known {
		require.Equal(t, before, name, "entry %d was another", r.Number)
	}
	f.named[r.Number] = name
}

func (f *trimmedLife) requireHolds(t *testing.T) {
	t.Helper()
	there := map[string]bool{}
	all := everything(t, f.log)
	for i, r := range all {
		require.Equal(t, all[0].Number+int64(i), r.Number)
		f.note(t, r)
		require.False(t, there[nameOf(r)], "%s is there twice", nameOf(r))
		there[nameOf(r)] = true
	}
	for name := range f.answered {
		require.True(t, there[name], "%s was answered and is gone", name)
	}
}
