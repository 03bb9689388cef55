package duckdb

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func TestHowLongAWriterWaitsForMoreRows(t *testing.T) {
	for _, test := range []struct {
		name      string
		last      int           // rows of the transaction before
		took, ago time.Duration // that it took, and since it began
		next      time.Duration // until another batch comes
		rows      int           // which it has
		together  bool
		takes     time.Duration
	}{
		{"not at all after a rest", 10, ms(8), time.Second, 0, 10, false, 0},
		{"until it has rested three times as long", 10, ms(20), ms(30), ms(40), 10, true, ms(50)},
		{"no longer than that", 10, ms(20), ms(30), ms(60), 10, false, ms(50)},
		{"a tenth of a second when the disk is slow", 10, ms(500), ms(40), ms(70), 10, false, ms(60)},
		{"until there are enough", 10, ms(20), 0, ms(50), enoughRows, true, ms(50)},
		{"longer when it is behind", behindRows, ms(8), time.Second, ms(150), 10, true, behindWait},
		{"when it is behind, until there are enough", behindRows, ms(8), 0, ms(150), enoughRows, true, ms(150)},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &writer{
					d:    &Database{queue: make(chan *request, 1)},
					last: test.last, began: time.Now().Add(-test.ago), took: test.took,
				}
				first, second := &request{rows: 10}, &request{rows: test.rows}
				time.AfterFunc(test.next+time.Nanosecond, func() { w.d.queue <- second })
				asked := time.Now()
				got := w.gather(first)
				require.Equal(t, test.takes, time.Since(asked).Truncate(time.Millisecond))
				require.Equal(t, test.together, len(got) == 2)
				time.Sleep(time.Second)
			})
		})
	}
}
