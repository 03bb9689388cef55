package pause_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/message/pause"
)

func TestAPauseLastsAsLongAsItSaysOrUntilItsContextEnds(t *testing.T) {
	for _, test := range []struct {
		name         string
		wait, within time.Duration
		whole        bool
		lasts        time.Duration
	}{
		{"nothing ends it", time.Second, time.Hour, true, time.Second},
		{"its context ends first", time.Hour, time.Second, false, time.Second},
		{"no time at all", 0, time.Hour, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.within)
				defer cancel()
				began := time.Now()
				require.Equal(t, test.whole, pause.For(ctx, test.wait))
				require.Equal(t, test.lasts, time.Since(began))
			})
		})
	}
}
