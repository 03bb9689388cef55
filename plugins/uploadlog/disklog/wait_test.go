package disklog

import (
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
)

// steadyDisk takes as long for a write and a sync as a good disk does, and keeps
// nothing of the segments.
type steadyDisk struct{ disk.Disk }

func (d steadyDisk) Create(name string) (disk.File, error) {
	file, err := d.Disk.Create(name)
	return steadyFile{file}, err
}

type steadyFile struct{ disk.File }

func (steadyFile) Allocate(int64) error { return nil }

func (steadyFile) WriteAt(p []byte, _ int64) (int, error) {
	time.Sleep(100*time.Microsecond + time.Duration(len(p))*time.Second/(1500<<20)) // 1.5 GB/s
	return len(p), nil
}

func (steadyFile) Sync() error {
	time.Sleep(200 * time.Microsecond)
	return nil
}

// waits are how long an owner waits for 100 KB to be safe, every 8 ms or so, sorted;
// so many other writers of one other owner write 1 MB each without a pause.
func waits(t *testing.T, noisy int, smallBytes int64) (all []time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		options := small()
		options.SegmentBytes, options.smallBytes = 128<<20, smallBytes
		l := mustOpen(t, steadyDisk{crashdisk.New(1)}, options)
		done := make(chan struct{})
		var others sync.WaitGroup
		for writer := range noisy {
			others.Go(func() {
				e := uploadEntry("", 1, 1, 1<<20)
				for number := 0; ; number++ {
					select {
					case <-done:
						return
					default:
					}
					e.Owner, e.Key.Upload = "noisy", strconv.Itoa(writer)+"."+strconv.Itoa(number)
					require.NoError(t, appendNow(l, e))
				}
			})
		}
		for number := range 60 {
			time.Sleep(8*time.Millisecond + time.Duration(number*137%1000)*time.Microsecond) // At all places of the other's groups.
			e := uploadEntry(strconv.Itoa(number), 0, 1, 100<<10)
			e.Owner = "quiet"
			began := time.Now()
			require.NoError(t, appendNow(l, e))
			all = append(all, time.Since(began))
		}
		close(done)
		others.Wait()
		require.NoError(t, l.Close())
	})
	slices.Sort(all)
	return all
}

// In virtual time, so that it is the log's order alone that is measured.
func TestWhoWritesLittleWaitsNoLongerThanForOneOfAnother(t *testing.T) {
	alone, beside, after := waits(t, 0, 0), waits(t, 8, 0), waits(t, 8, 1<<40)
	at := func(of []time.Duration, share float64) time.Duration { return of[int(share*float64(len(of)-1))] }
	t.Logf("alone %v; beside another p50 %v p99 %v; one group after the other p50 %v p99 %v",
		at(alone, 0.5), at(beside, 0.5), at(beside, 0.99), at(after, 0.5), at(after, 0.99))
	one := 300*time.Microsecond + time.Second/1500 // The other's megabyte.
	require.LessOrEqual(t, at(beside, 0.99), one+50*time.Microsecond)
	require.Greater(t, at(after, 0.99), one+at(alone, 0.5)/2, "which is more than that")
	require.Less(t, at(beside, 0.5), at(after, 0.5))
}
