package query

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// FieldError says which field of a question is wrong and why.
type FieldError struct {
	Field  string
	Reason string
}

// Error names the field first.
func (e *FieldError) Error() string { return e.Field + ": " + e.Reason }

// Periods are the names of the stretches of time that end now, the shortest first.
var Periods = []string{"1hour", "4hours", "1day", "7days", "14days", "28days", "30days", "90days"}

var periodLengths = []time.Duration{
	time.Hour, 4 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour,
	14 * 24 * time.Hour, 28 * 24 * time.Hour, 30 * 24 * time.Hour, 90 * 24 * time.Hour,
}

// ParseRange reads a period's name, or the two timestamps (RFC 3339, a date, or
// unix seconds or milliseconds); period and timestamps exclude each other. With
// none of them fallback is the period. now ends a period.
func ParseRange(period, minimum, maximum, fallback string, now time.Time) (Range, error) {
	if minimum != "" || maximum != "" {
		if period != "" {
			return Range{}, &FieldError{"period", "give either period or min_timestamp and max_timestamp, not both"}
		}
		return parseTimestamps(minimum, maximum)
	}
	if period == "" {
		period = fallback
	}
	i := slices.Index(Periods, period)
	if i < 0 {
		return Range{}, &FieldError{"period", fmt.Sprintf("%q is no period; there are %s", period, joinWords(Periods))}
	}
	// The end stays open: a record's log time may be ahead of this clock.
	return Range{Min: now.Add(-periodLengths[i]).UnixMilli()}, nil
}

func parseTimestamps(minimum, maximum string) (r Range, err error) {
	if r.Min, err = parseTimestamp("min_timestamp", minimum); err != nil {
		return Range{}, err
	}
	if r.Max, err = parseTimestamp("max_timestamp", maximum); err != nil {
		return Range{}, err
	}
	if r.Max != 0 && r.Min >= r.Max {
		return Range{}, &FieldError{"min_timestamp", "it must be before max_timestamp"}
	}
	return r, nil
}

func parseTimestamp(field, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			if t.UnixMilli() <= 0 {
				return 0, &FieldError{field, fmt.Sprintf("%q is before 1970", text)}
			}
			return t.UnixMilli(), nil
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || n <= 0:
		return 0, &FieldError{field, fmt.Sprintf("%q is no time; write 2026-11-23T14:00:00Z, 2026-11-23 or unix seconds", text)}
	case n < 1e11:
		return n * 1000, nil
	case n > 1e14:
		return 0, &FieldError{field, fmt.Sprintf("%q lies too far ahead; unix seconds or milliseconds are meant", text)}
	default:
		return n, nil
	}
}
