package histories

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/tests/histories/adversary"
)

// TestWhatRetriesDoNotShowIsSuspected scores tests that fail all attempts of a run and
// pass with the next commit, again and again, beside modules that truly break a few
// times. The former are found late or not at all; the latter must stay unsaid.
func TestWhatRetriesDoNotShowIsSuspected(t *testing.T) {
	var stubborn standing
	churning, alarms := 0, 0
	for _, seed := range seedsOf(t, 1004) {
		w := adversary.New(seed, adversary.Options{Stubborn: true})
		verdicts := readVerdicts(t, backtest(t, recordAdversary(t, w)))
		for _, s := range w.Suites {
			said := saidOf(s, verdicts)
			for _, test := range s.Tests {
				if strings.HasPrefix(test.Kind, "stubborn") {
					stubborn.truth(test, said[test])
				}
			}
			for test := range churned(s) {
				churning++
				if detected(said[test]) {
					alarms++
				}
			}
		}
	}
	t.Logf("detected %.3f of %d after %d/%d/%d failing runs, suspected %.3f after %d, false recoveries %d; alarms on %d of %d tests that were being worked on; %s",
		stubborn.recall(), stubborn.evident, at(stubborn.toDetect, .5), at(stubborn.toDetect, .75), at(stubborn.toDetect, .9),
		share(stubborn.suspected, stubborn.evident), at(stubborn.toSuspect, .5), stubborn.recovered, alarms, churning, stubborn.causes())
	require.GreaterOrEqual(t, stubborn.evident, 20)
	require.GreaterOrEqual(t, share(stubborn.suspected, stubborn.evident), .95)
	require.GreaterOrEqual(t, stubborn.recall(), .5, "the goal is .95")
	require.GreaterOrEqual(t, churning, 20)
	require.LessOrEqual(t, alarms, 1)
}

// churned are the tests of modules that are being worked on and are not flaky.
func churned(s *adversary.Suite) map[*adversary.Test]bool {
	tests := map[*adversary.Test]bool{}
	for _, b := range s.Breaks {
		for _, test := range b.Tests {
			if b.Kind == "churn" && test.Kind == "" {
				tests[test] = true
			}
		}
	}
	return tests
}

func detected(list []*testengine.Verdict) bool {
	for _, v := range list {
		if v.Type == testengine.FlakyDetected {
			return true
		}
	}
	return false
}
