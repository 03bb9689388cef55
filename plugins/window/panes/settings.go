// Package panes aggregates events in windows of event time, by key.
//
// A window is a piece of a key's time. What it says is a pane, and a window has
// several of them: early ones while it is open, one on time when the watermark
// has passed its end, and corrected ones when an event comes late. A pane
// replaces those of its window with a smaller version.
//
// The clock of a lane is the greatest event time so far, or the log time of a
// tick; the watermark is the clock less the delay. Both move when a message has
// been applied, so that the order of events inside a message does not matter.
//
// Windows that overlap are cut into slices as long as the slide: an event
// touches one slice, and a window's pane is the sum of its slices. What is
// remembered lies in a state.Table, one value a slice and key (or a session).
package panes

import (
	"errors"
	"fmt"
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/window/sketch"
)

// Version is part of the logic's name: it changes when the same events would
// give other panes.
const Version = 1

// Kind is how time is cut into windows.
type Kind string

// The kinds.
const (
	Tumbling Kind = "tumbling"
	Sliding  Kind = "sliding"
	Session  Kind = "session"
)

// Function is what is computed.
type Function string

// The functions. Sum, Min, Max and Avg of nothing are null.
const (
	Count       Function = "count"
	Sum         Function = "sum"
	Min         Function = "min"
	Max         Function = "max"
	Avg         Function = "avg"
	Distinct    Function = "distinct"
	Percentiles Function = "percentiles"
)

// Functions are all of them.
var Functions = []Function{Count, Sum, Min, Max, Avg, Distinct, Percentiles}

// Numeric says that the function takes numbers.
func (f Function) Numeric() bool { return f != Count && f != Distinct }

// Aggregate is one value of a pane.
type Aggregate struct {
	Name     string
	Function Function
	// Percentiles are those of the function Percentiles, 0 to 100.
	Percentiles []float64
}

// Settings are what a processor is configured with. Times are in milliseconds.
type Settings struct {
	// Name is the aggregation's name in its panes.
	Name string
	// By are the names of the parts of a key.
	By   []string
	Kind Kind
	// Size is the length of a window; Slide the distance between two starts, a part of Size (tumbling: Size).
	Size, Slide int64
	// Gap is the silence after which a session has ended.
	Gap int64
	// Delay is how far the watermark stays behind the clock.
	Delay int64
	// Lateness is how long after its end a window still takes events.
	Lateness int64
	// Early is the distance between early panes, 0 for none.
	Early      int64
	Aggregates []Aggregate
	// MaxWindows is how many slices or sessions of all keys a lane may hold.
	MaxWindows int
	// MaxPanes is how many panes a message causes at most; the next one goes on.
	MaxPanes int
	// MaxSessions is how many sessions a key may have at a time.
	MaxSessions int
	// MaxKey is how many bytes a key may have: an event with a longer one is TooLong.
	MaxKey int
	// Hot is how many slices or sessions are kept decoded.
	Hot int
	// RelativeError is that of percentiles.
	RelativeError float64
	// Precision is that of distinct counts.
	Precision uint8
}

// MaxSlices bounds Size/Slide.
const MaxSlices = 10_000

// A value of the state has at most maxValue bytes, and one that is longer holds its
// lane for ever. So what a window needs is bounded, beside the sketches, whose
// bases are values of their own.
const (
	maxValue = 64 << 10
	// MaxAggregates bounds the aggregates: their tails and numbers have at most 27 KB.
	MaxAggregates = 50
	// MaxKeyBytes bounds MaxKey.
	MaxKeyBytes = 16 << 10
	// MaxSessionsPerKey bounds MaxSessions: each has at most 20 bytes.
	MaxSessionsPerKey = 1000
	// MinRelativeError and MaxRelativeError bound that of percentiles.
	MinRelativeError = 0.001
	MaxRelativeError = 0.1
)

// Check refuses settings that make no sense, with the field's name.
func (s *Settings) Check() error {
	switch {
	case s.Kind == Session && s.Gap < 1:
		return errors.New("reading gap: a session needs a gap of at least 1ms")
	case s.Kind != Session && s.Size < 1:
		return errors.New("reading size: a window needs a size of at least 1ms")
	case s.Kind == Sliding && (s.Slide < 1 || s.Size%s.Slide != 0):
		return errors.New("reading slide: the size must be a multiple of the slide")
	case s.Kind == Sliding && s.Size/s.Slide > MaxSlices:
		return fmt.Errorf("reading slide: a window has at most %d slides", MaxSlices)
	case s.Delay < 0 || s.Lateness < 0 || s.Early < 0:
		return errors.New("reading delay, lateness, early: none of them can be negative")
	case len(s.Aggregates) == 0 || len(s.Aggregates) > MaxAggregates:
		return fmt.Errorf("reading aggregates: there must be 1 to %d", MaxAggregates)
	case s.Precision < sketch.MinPrecision || s.Precision > sketch.MaxPrecision:
		return fmt.Errorf("reading distinct_precision: it must be between %d and %d", sketch.MinPrecision, sketch.MaxPrecision)
	}
	if err := s.checkLimits(); err != nil {
		return err
	}
	return s.checkAggregates()
}

// checkLimits is the guard against values that the state refuses: a configuration
// may come here without having been linted.
func (s *Settings) checkLimits() error {
	switch {
	case s.MaxKey < 1 || s.MaxKey > MaxKeyBytes:
		return fmt.Errorf("reading max_key_bytes: it must be between 1 and %d", MaxKeyBytes)
	case s.MaxSessions < 1 || s.MaxSessions > MaxSessionsPerKey:
		return fmt.Errorf("reading max_sessions_per_key: it must be between 1 and %d", MaxSessionsPerKey)
	case !(s.RelativeError >= MinRelativeError && s.RelativeError <= MaxRelativeError):
		return fmt.Errorf("reading percentile_error: it must be between %g and %g", MinRelativeError, MaxRelativeError)
	}
	return nil
}

func (s *Settings) checkAggregates() error {
	for i, a := range s.Aggregates {
		if a.Name == "" {
			return fmt.Errorf("reading aggregates: number %d has no name", i)
		}
		if slices.ContainsFunc(s.Aggregates[:i], func(b Aggregate) bool { return a.Name == b.Name }) {
			return fmt.Errorf("reading aggregates: there are two of the name %s", a.Name)
		}
		if !slices.Contains(Functions, a.Function) {
			return fmt.Errorf("reading aggregates: %s has an unknown function %q", a.Name, a.Function)
		}
		if (a.Function == Percentiles) != (len(a.Percentiles) > 0) {
			return fmt.Errorf("reading aggregates: percentiles belong to the function percentiles, see %s", a.Name)
		}
		for _, p := range a.Percentiles {
			if !(p >= 0 && p <= 100) {
				return fmt.Errorf("reading aggregates: %s asks for percentile %g", a.Name, p)
			}
		}
	}
	return nil
}

// Logic names the rules under which panes are computed.
func (s *Settings) Logic() string {
	all := fmt.Sprintf("%q %q %s %d %d %d %d %d %d %d %+v %g %d", s.Name, s.By, s.Kind, s.Size, s.Slide, s.Gap, s.Delay, s.Lateness, s.Early, s.MaxPanes,
		s.Aggregates, s.RelativeError, s.Precision)
	return fmt.Sprintf("windows/%d/%x", Version, testengine.Hash(0, all))
}
