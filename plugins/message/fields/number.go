package fields

import (
	"fmt"
	"math"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// Endless is the upper bound of a number that has none.
const Endless = math.MaxInt

// NumberWithin is a whole number with bounds, both of them allowed.
func (r Reader) NumberWithin(least, most int, path ...string) int {
	value := r.Number(path...)
	if *r.err == nil && (value < least || value > most) {
		r.Keep(fmt.Errorf("reading %s: it must be %s, not %d", strings.Join(path, "."), bounds(least, most), value))
	}
	return value
}

// NewNumber describes a field for NumberWithin: lint refuses what the start
// refuses.
func NewNumber(name string, least, most int) *service.ConfigField {
	outside := fmt.Sprintf("this < %d", least)
	if most != Endless {
		outside += fmt.Sprintf(" || this > %d", most)
	}
	return service.NewIntField(name).
		LintRule(fmt.Sprintf(`root = if %s { "%s must be %s" }`, outside, name, bounds(least, most)))
}

func bounds(least, most int) string {
	if most == Endless {
		return fmt.Sprintf("at least %d", least)
	}
	return fmt.Sprintf("between %d and %d", least, most)
}

// NewDecimal describes a number with bounds, both of them allowed, infinity being
// none. The component checks the same at the start: lint does not see variables.
func NewDecimal(name string, least, most float64) *service.ConfigField {
	outside, want := fmt.Sprintf("this < %g", least), fmt.Sprintf("at least %g", least)
	if !math.IsInf(most, 1) {
		outside += fmt.Sprintf(" || this > %g", most)
		want = fmt.Sprintf("between %g and %g", least, most)
	}
	return service.NewFloatField(name).
		LintRule(fmt.Sprintf(`root = if %s { "%s must be %s" }`, outside, name, want))
}

// NewShare describes a share of a whole or a probability.
func NewShare(name string) *service.ConfigField { return NewDecimal(name, 0, 1) }
