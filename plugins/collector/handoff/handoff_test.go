package handoff_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/collector/handoff"
)

func one([]*handoff.Offer[string]) bool { return false }

func TestWhatBecomesOfAnOffer(t *testing.T) {
	away := errors.New("the disk is full")
	for _, c := range []struct {
		name   string
		stream func(ctx context.Context, d *handoff.Desk[string])
		want   error
	}{
		{"it is acknowledged", func(ctx context.Context, d *handoff.Desk[string]) {
			taken, _ := d.Take(ctx, one)
			taken[0].Acknowledge(nil)
			taken[0].Acknowledge(away) // only the first time counts
		}, nil},
		{"the stream refuses it", func(ctx context.Context, d *handoff.Desk[string]) {
			taken, _ := d.Take(ctx, one)
			taken[0].Acknowledge(away)
		}, away},
		{"nobody takes it in time", func(context.Context, *handoff.Desk[string]) {}, handoff.ErrNotTaken},
		{"nobody says in time that it is safe", func(ctx context.Context, d *handoff.Desk[string]) {
			_, _ = d.Take(ctx, one)
		}, handoff.ErrNotAcknowledged},
		{"the desk stops before it is taken", func(_ context.Context, d *handoff.Desk[string]) { d.Stop() }, handoff.ErrStopped},
		{"the desk closes before it is acknowledged", func(ctx context.Context, d *handoff.Desk[string]) {
			_, _ = d.Take(ctx, one)
			d.Close()
		}, handoff.ErrNotAcknowledged},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := handoff.New[string]()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				go c.stream(ctx, d)
				require.ErrorIs(t, d.Offer(ctx, "acme", "upload"), c.want)
			})
		})
	}
}

func TestOwnersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := handoff.New[string]()
		for _, owner := range []string{"noisy", "noisy", "noisy", "noisy", "noisy", "quiet", "other"} {
			go func() { _ = d.Offer(t.Context(), owner, owner) }()
			synctest.Wait()
		}
		var batches [][]string
		for range 4 {
			taken, err := d.Take(t.Context(), func(taken []*handoff.Offer[string]) bool { return len(taken) < 3 })
			require.NoError(t, err)
			var batch []string
			for _, offer := range taken {
				batch = append(batch, offer.Item)
				offer.Acknowledge(nil)
			}
			batches = append(batches, batch)
		}
		require.Equal(t, [][]string{{"noisy", "noisy", "noisy"}, {"quiet"}, {"other"}, {"noisy", "noisy"}}, batches)
	})
}

func TestWhoeverGaveUpIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := handoff.New[string]()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() { _ = d.Offer(t.Context(), "acme", "patient") }()
		synctest.Wait()
		require.ErrorIs(t, d.Offer(ctx, "acme", "impatient"), handoff.ErrNotTaken)
		taken, err := d.Take(t.Context(), func([]*handoff.Offer[string]) bool { return true })
		require.NoError(t, err)
		require.Len(t, taken, 1)
		require.Equal(t, "patient", taken[0].Item)
		taken[0].Acknowledge(nil)
	})
}

func TestWhatIsWaitingIsTakenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := handoff.New[string]()
		for range 5 {
			go func() { _ = d.Offer(t.Context(), "acme", "upload") }()
		}
		synctest.Wait()
		taken, err := d.Take(t.Context(), func(taken []*handoff.Offer[string]) bool { return len(taken) < 3 })
		require.NoError(t, err)
		require.Len(t, taken, 3)
		rest, err := d.Take(t.Context(), func([]*handoff.Offer[string]) bool { return true })
		require.NoError(t, err)
		require.Len(t, rest, 2)
		for _, offer := range append(taken, rest...) {
			offer.Acknowledge(nil)
		}
		d.Stop()
		_, err = d.Take(t.Context(), one)
		require.ErrorIs(t, err, handoff.ErrStopped)
	})
}
