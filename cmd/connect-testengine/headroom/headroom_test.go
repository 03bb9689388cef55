package headroom

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheHeapGrowsByTheHeadroomAndWhatIsLookedThrough(t *testing.T) {
	const mb = 1 << 20
	for name, row := range map[string]struct {
		live, scanned, roots uint64
		want                 int
	}{
		"a small heap grows by the headroom":                           {40 * mb, 20 * mb, 0, 456},
		"bodies and pages of state grow it by an eighth":               {1000 * mb, 40 * mb, 0, 32},
		"what has pointers doubles":                                    {1000 * mb, 1000 * mb, 0, 116},
		"stacks count as what has pointers":                            {100 * mb, 100 * mb, 100 * mb, 180},
		"an empty heap is no division by nothing":                      {0, 0, 0, 4000},
		"more is looked through than lives, for it is an older number": {10 * mb, 20 * mb, 0, 1700},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, row.want, growth(row.live, row.scanned, row.roots)) })
	}
}

func TestHeadroomIsKeptUnlessTheEnvironmentSaysOtherwise(t *testing.T) {
	for name, row := range map[string]struct {
		percent, limit string
		kept           bool
	}{
		"nothing is said":     {"", "", true},
		"GOGC is said":        {"200", "", false},
		"GOMEMLIMIT is said":  {"", "1GiB", false},
		"both of them are":    {"off", "1GiB", false},
		"GOGC is the default": {"100", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOGC", row.percent)
			t.Setenv("GOMEMLIMIT", row.limit)
			before := debug.SetGCPercent(99)
			defer debug.SetGCPercent(before)
			Keep(t.Context())
			changed := func() bool {
				runtime.GC()
				current := debug.SetGCPercent(99)
				debug.SetGCPercent(current)
				return current != 99
			}
			if row.kept {
				require.Eventually(t, changed, 10*time.Second, time.Millisecond)
				return
			}
			time.Sleep(4 * lookEvery)
			require.False(t, changed())
		})
	}
}
