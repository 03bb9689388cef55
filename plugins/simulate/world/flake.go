package world

import "fmt"

// Kind says what a test is in truth.
type Kind string

// The kinds of tests.
const (
	// Stable tests fail for a reason outside themselves only.
	Stable Kind = "stable"
	// Constant fails with the same chance at every attempt.
	Constant Kind = "constant"
	// Bursty fails often for some hours, then not for days.
	Bursty Kind = "bursty"
	// TimeOfDay fails in certain hours of the day.
	TimeOfDay Kind = "time_of_day"
	// OrderDependent fails in some orders of the job's tests, and passes when it is tried again alone.
	OrderDependent Kind = "order_dependent"
	// HostBound fails on one host.
	HostBound Kind = "host_bound"
	// RetryProof fails at every attempt of a run, and in the next run not.
	RetryProof Kind = "retry_proof"
)

var flakyKinds = []Kind{Constant, Bursty, OrderDependent, HostBound, TimeOfDay, RetryProof, Constant}

// flake is how a flaky test fails.
type flake struct {
	kind Kind
	// rate is the chance to fail while the condition holds.
	rate      float64
	condition string
	seed      uint64
	// since and until bound it: flakiness that began with a change, or was repaired. until 0 is never.
	since, until int64
	hour         int64
	host         int
	reasons      []string
}

func newFlake(kind Kind, t *test, s *suite) *flake {
	d := s.dice
	f := &flake{kind: kind, seed: d.bits(), since: t.born, reasons: []string{pick(d, flakeReasons)}}
	if d.chance(0.3) {
		f.reasons = append(f.reasons, pick(d, flakeReasons))
	}
	history := int64(s.world.config.Days) * Day
	switch {
	case history == 0 || t.born > 0:
	case d.chance(0.25):
		f.since = d.between(history/6, history*2/3)
	case d.chance(0.2):
		f.until = d.between(history/2, history*4/5)
	}
	switch kind {
	case Bursty:
		f.rate, f.condition = d.logUniform(0.25, 0.6), "in bursts of 3 to 10 hours, one in two days"
	case TimeOfDay:
		f.rate, f.hour = d.logUniform(0.4, 0.9), d.between(7, 18)
		f.condition = fmt.Sprintf("from %02d:00 to %02d:00 UTC", f.hour, f.hour+2)
	case OrderDependent:
		f.rate, f.condition = d.logUniform(0.05, 0.25), "in some orders of the tests, never alone"
	case HostBound:
		f.rate, f.host = d.logUniform(0.4, 0.9), d.int(len(s.world.hosts))
		f.condition = "on " + s.world.hosts[f.host].id
	case RetryProof:
		f.rate, f.condition = d.logUniform(0.04, 0.15), "at every attempt of a run"
	default:
		f.rate = d.logUniform(0.03, 0.3)
	}
	return f
}

// fails decides whether the flaky test fails at that attempt of a run.
func (f *flake) fails(r *run, host, attempt int, at int64, d *dice) bool {
	if at < f.since || (f.until > 0 && at >= f.until) {
		return false
	}
	switch f.kind {
	case Bursty:
		return f.bursting(at) && d.chance(f.rate)
	case TimeOfDay:
		hour := at % Day / Hour
		return hour >= f.hour && hour < f.hour+2 && d.chance(f.rate)
	case OrderDependent:
		return attempt == 0 && share(mix(f.seed, r.seed)) < f.rate
	case HostBound:
		return host == f.host && d.chance(f.rate)
	case RetryProof:
		return share(mix(f.seed, r.seed)) < f.rate
	default:
		return d.chance(f.rate)
	}
}

// bursting reports whether a burst covers that moment: one burst in two days.
func (f *flake) bursting(at int64) bool {
	chance := newDice(f.seed, uint64(at/(2*Day)))
	begin := chance.between(0, 2*Day-10*Hour)
	length := chance.between(3*Hour, 10*Hour)
	at %= 2 * Day
	return at >= begin && at < begin+length
}
