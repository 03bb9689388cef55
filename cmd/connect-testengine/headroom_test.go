package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHeadroomIsLeftUnlessTheEnvironmentSaysOtherwise(t *testing.T) {
	for name, row := range map[string]struct {
		percent, limit string
		want           int
	}{
		"nothing is said":     {"", "", headroom},
		"GOGC is said":        {"200", "", 0},
		"GOMEMLIMIT is said":  {"", "1GiB", 0},
		"both of them are":    {"off", "1GiB", 0},
		"GOGC is the default": {"100", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOGC", row.percent)
			t.Setenv("GOMEMLIMIT", row.limit)
			require.Len(t, newBallast(), row.want)
		})
	}
}
