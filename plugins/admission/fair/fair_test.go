package fair_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/admission/fair"
)

func of(n int64) fair.Options { return fair.Options{Capacity: always(n)} }

func always(n int64) func() int64 { return func() int64 { return n } }

// atOnce takes one if there is room and nobody waits.
func atOnce(t *testing.T, share *fair.Share, name string) bool {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return share.Acquire(ctx, name, 1, 1) == nil
}

func TestWhoeverHoldsLeastComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		share := fair.New(of(4))
		for range 4 {
			require.NoError(t, share.Acquire(t.Context(), "noisy", 1, 1))
		}
		var mu sync.Mutex
		var order []string
		ask := func(name string, weight float64) {
			go func() {
				if share.Acquire(t.Context(), name, weight, 1) == nil {
					mu.Lock()
					defer mu.Unlock()
					order = append(order, name)
				}
			}()
			synctest.Wait()
		}
		for range 3 {
			ask("noisy", 1)
		}
		ask("quiet", 1)
		ask("heavy", 2)
		ask("heavy", 2)
		for range 6 {
			share.Release("noisy", 1)
			synctest.Wait()
			if len(order) == 6 {
				break
			}
		}
		require.Equal(t, []string{"heavy", "quiet", "heavy", "noisy"}, order[:4])
	})
}

func TestAmongEqualsWhoeverWasServedLongestAgoComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		share := fair.New(fair.Options{Capacity: always(2), Spare: always(1), Now: time.Now})
		served := map[string]int{}
		var mu sync.Mutex
		var all sync.WaitGroup
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, name := range []string{"a", "b", "c", "d"} {
			for range 8 { // Each always has somebody who waits.
				all.Go(func() {
					for ctx.Err() == nil && share.Acquire(ctx, name, 1, 1) == nil {
						mu.Lock()
						served[name]++
						mu.Unlock()
						time.Sleep(time.Millisecond)
						share.Release(name, 1)
					}
				})
			}
		}
		all.Wait()
		for _, name := range []string{"a", "b", "c", "d"} {
			require.InDelta(t, 500, served[name], 10, name)
		}
	})
}

func TestATenantLeavesASparePartToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		share := fair.New(fair.Options{Capacity: always(4), Spare: always(1), Now: time.Now})
		take := func(name string) bool { return atOnce(t, share, name) }
		for range 4 {
			require.True(t, take("noisy"), "who is alone has everything")
		}
		require.False(t, take("quiet"))
		share.Release("noisy", 1)
		require.True(t, take("quiet"))
		share.Release("quiet", 1)
		require.False(t, take("noisy"), "quiet was here a moment ago")
		waited := false
		go func() { waited = share.Acquire(t.Context(), "noisy", 1, 1) == nil }()
		synctest.Wait()
		require.True(t, take("quiet"), "who waits for the spare part is overtaken")
		share.Release("quiet", 1)
		require.False(t, waited)
		time.Sleep(2 * time.Second)
		share.Release("noisy", 1)
		synctest.Wait()
		require.True(t, waited)
		require.True(t, take("noisy"), "quiet has not been here for long")
	})
}

func TestNobodyWaitsLongerThanHeMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		share := fair.New(of(1))
		require.NoError(t, share.Acquire(t.Context(), "a", 1, 1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, share.Acquire(ctx, "b", 1, 1), fair.ErrFull)
		require.Zero(t, share.Waiting())
		require.False(t, atOnce(t, share, "b"))
		share.Release("a", 1)
		require.True(t, atOnce(t, share, "b"))
	})
}

func TestALargeOneIsNotOvertakenForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		share := fair.New(of(10))
		require.NoError(t, share.Acquire(t.Context(), "small", 1, 6))
		done := false
		go func() {
			done = share.Acquire(t.Context(), "large", 1, 10) == nil
		}()
		synctest.Wait()
		require.False(t, atOnce(t, share, "small"), "somebody waits")
		share.Release("small", 6)
		synctest.Wait()
		require.True(t, done)
	})
}

func TestMoreThanAllIsGivenAlone(t *testing.T) {
	share := fair.New(of(10))
	require.NoError(t, share.Acquire(t.Context(), "a", 1, 11))
	require.False(t, atOnce(t, share, "b"))
	share.Release("a", 11)
	require.True(t, atOnce(t, share, "b"))
}

func TestNothingIsLostWhateverTheOrder(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 4))
			capacity := int64(1 + r.IntN(20))
			share := fair.New(fair.Options{Capacity: always(capacity), Spare: always(capacity / 3), Now: time.Now})
			var held atomic.Int64
			for n := range 60 {
				name, size := fmt.Sprint("t", r.IntN(5)), int64(1+r.IntN(8))
				arrive, patience, work := time.Duration(r.IntN(1000)), time.Duration(1+r.IntN(400)), time.Duration(r.IntN(300))
				go func() {
					time.Sleep(arrive)
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					if share.Acquire(ctx, name, float64(1+n%3), size) != nil {
						return
					}
					if now := held.Add(size); now > capacity && now != size {
						t.Errorf("seed %d: %d of %d", seed, now, capacity)
					}
					time.Sleep(work)
					held.Add(-size)
					share.Release(name, size)
				}()
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Zero(t, share.Held())
			require.Zero(t, share.Waiting())
		})
	}
}
