package events

import (
	"fmt"
	"math"
	"time"
)

// Unit says how an event's time is written.
type Unit string

// The units. RFC3339 is text, the others are numbers since 1970.
const (
	Seconds      Unit = "s"
	Milliseconds Unit = "ms"
	Microseconds Unit = "us"
	Nanoseconds  Unit = "ns"
	RFC3339      Unit = "rfc3339"
)

var perMilli = map[Unit]float64{Seconds: 1e-3, Milliseconds: 1, Microseconds: 1e3, Nanoseconds: 1e6}

// MaxTime is the greatest time that is taken, in the year 5138.
const MaxTime = 100_000_000_000_000

// Milliseconds reads a time of that unit in unix milliseconds, 0 to MaxTime.
func (u Unit) Milliseconds(v *Value) (int64, error) {
	if u == RFC3339 {
		if v.Kind != Text {
			return 0, fmt.Errorf("it is %s and no RFC 3339 text", v.Kind)
		}
		at, err := time.Parse(time.RFC3339Nano, v.Text)
		if err != nil {
			return 0, fmt.Errorf("%q is no RFC 3339 time", clip(v.Text))
		}
		return inRange(float64(at.UnixMilli()))
	}
	if v.Kind != Number {
		return 0, fmt.Errorf("it is %s and no number of %s since 1970", v.Kind, u)
	}
	return inRange(math.Floor(v.Number / perMilli[u]))
}

// CheckTime refuses a message's own time that is not between 0 and MaxTime: what
// others send as one may be nanoseconds, or a -1 for none.
func CheckTime(milliseconds int64) error {
	_, err := inRange(float64(milliseconds))
	return err
}

func inRange(milliseconds float64) (int64, error) {
	if !(milliseconds >= 0 && milliseconds <= MaxTime) {
		return 0, fmt.Errorf("%g ms is not between the years 1970 and 5138", milliseconds)
	}
	return int64(milliseconds), nil
}

func clip(text string) string {
	const room = 40
	if len(text) > room {
		return text[:room] + "…"
	}
	return text
}
