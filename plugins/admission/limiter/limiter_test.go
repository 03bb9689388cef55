package limiter_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/admission/fair"
	"github.com/connect-testengine/connect-testengine/plugins/admission/limiter"
)

func TestResultsWaitAndTheRestIsTurnedAwayInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter.New(limiter.Options{Now: time.Now, Least: 4, Most: 4, First: 4})
		var permits []*limiter.Permit
		for range 4 {
			permit, err := l.Admit(t.Context(), "a", 1, limiter.Annotations)
			require.NoError(t, err, "there is room")
			permits = append(permits, permit)
		}
		admitted := 0
		wait := func() {
			go func() {
				if permit, err := l.Admit(t.Context(), "a", 1, limiter.Results); err == nil {
					admitted++
					permit.Done(true)
				}
			}()
			synctest.Wait()
		}
		shed := func(class limiter.Class) bool {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			_, err := l.Admit(ctx, "a", 1, class)
			require.Error(t, err)
			return errors.Is(err, limiter.ErrShed)
		}
		for _, step := range []struct {
			waiting                 int
			annotations, plan, logs bool
		}{{1, true, false, false}, {2, true, true, false}, {4, true, true, true}} {
			for l.Waiting() < step.waiting {
				wait()
			}
			require.Equal(t, step.annotations, shed(limiter.Annotations), step)
			require.Equal(t, step.plan, shed(limiter.PlanMetadata), step)
			require.Equal(t, step.logs, shed(limiter.Logs), step)
			require.False(t, shed(limiter.Results), step)
		}
		for _, permit := range permits {
			permit.Done(true)
		}
		synctest.Wait()
		require.Equal(t, 4, admitted)
	})
}

func TestWhileDownstreamLagsTheLimitIsTheLeast(t *testing.T) {
	lag := time.Duration(0)
	l := limiter.New(limiter.Options{Now: time.Now, Least: 1, Most: 50, First: 20, MostLag: time.Minute, Lag: func() time.Duration { return lag }})
	require.Equal(t, 20, l.Limit())
	lag = 2 * time.Minute
	require.Equal(t, 1, l.Limit())
	_, err := l.Admit(t.Context(), "a", 1, limiter.Logs)
	require.ErrorIs(t, err, limiter.ErrShed)
	permit, err := l.Admit(t.Context(), "a", 1, limiter.Results)
	require.NoError(t, err)
	permit.Done(true)
}

func TestWhoeverWaitsTooLongIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter.New(limiter.Options{Now: time.Now, Least: 1, Most: 1, First: 1})
		_, err := l.Admit(t.Context(), "a", 1, limiter.Results)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = l.Admit(ctx, "b", 1, limiter.Results)
		require.ErrorIs(t, err, fair.ErrFull)
	})
}
