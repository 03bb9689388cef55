package filter

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// after is the belief after a history: P passed, F failed, R a retry of the same
// commit that failed too, each P and F a commit.
func after(history string) State {
	s := Start()
	for _, result := range history {
		switch result {
		case 'P':
			s.Predict(1)
			s.Passed()
		case 'F':
			s.Predict(1)
			s.Failed(1, 4e-4)
		case 'R':
			s.FailedAgain()
		}
	}
	return s
}

func TestWhatHistoriesLetBelieve(t *testing.T) {
	long := strings.Repeat("P", 100)
	for _, test := range []struct {
		name, history, most string
		least               float64
	}{
		{"a new test is taken for healthy", "", "healthy", .97},
		{"passing makes it surer", long, "healthy", .99},
		{"one failure decides nothing", long + "F", "broken", .5},
		{"it passes again: most likely chance", long + "FP", "healthy", .9},
		{"failing on is broken", long + "FFFF", "broken", .99},
		{"a retry that fails too speaks for broken", long + "FR", "broken", .7},
		{"a break that was mended is healthy", long + "FFFFPPPP", "healthy", .99},
		{"changing to and fro is flaky", "PFPFPF", "flaky", .95},
		{"failing now and then is flaky", long + "FPPPPFPPPPPPF", "flaky", .95},
		{"after very many passes it can still be broken", strings.Repeat(long, 20) + "FFF", "broken", .99},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := after(test.history)
			beliefs := map[string]float64{"healthy": float64(s.Healthy), "broken": s.ProbabilityBroken(), "flaky": s.ProbabilityFlaky()}
			require.InDelta(t, 1, beliefs["healthy"]+beliefs["broken"]+beliefs["flaky"], 1e-5, "beliefs sum to one")
			require.GreaterOrEqual(t, beliefs[test.most], test.least, "%v", beliefs)
		})
	}
}

func TestABreakIsLikelierWhereOthersFail(t *testing.T) {
	alone, among := after(strings.Repeat("P", 100)), after(strings.Repeat("P", 100))
	alone.Predict(1)
	alone.Failed(1, 4e-4)
	among.Predict(20)
	among.Failed(1, 4e-4)
	require.Greater(t, among.ProbabilityBroken(), alone.ProbabilityBroken())
	require.Less(t, among.ProbabilityFlaky(), alone.ProbabilityFlaky())
}

func TestAFailureThatIsTakenBackLeavesTheRatesAsTheyWere(t *testing.T) {
	before := after("PPPFPPPPFPP")
	s := before
	s.Failed(1, 4e-4)
	s.Unfailed(4e-4)
	for k := range before.Flaky {
		require.InDelta(t, before.Flaky[k]/before.Flaky[0], s.Flaky[k]/s.Flaky[0], 1e-3)
	}
	require.InDelta(t, before.ProbabilityFlaky()/float64(before.Healthy), s.ProbabilityFlaky()/float64(s.Healthy), 1e-3)
}

func TestPassesAloneAreRememberedByTheirNumber(t *testing.T) {
	for _, n := range []int{0, 1, 57, MaxPasses} {
		require.Equal(t, after(strings.Repeat("P", n)), AfterPasses(n))
	}
	require.Equal(t, AfterPasses(MaxPasses), AfterPasses(MaxPasses+1))
	require.InDelta(t, after(strings.Repeat("P", 3*MaxPasses)).Healthy, AfterPasses(3*MaxPasses).Healthy, 1e-3, "it stands still")
}
