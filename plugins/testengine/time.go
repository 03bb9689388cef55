package testengine

import "time"

// Time is a moment in unix milliseconds, written as RFC 3339 in UTC. The zero
// value is written as null.
type Time int64

const timeLayout = "2006-01-02T15:04:05.000Z"

// MarshalJSON writes RFC 3339 with milliseconds, or null.
func (t Time) MarshalJSON() ([]byte, error) {
	if t == 0 {
		return []byte("null"), nil
	}
	return []byte(`"` + t.String() + `"`), nil
}

// String writes RFC 3339 with milliseconds in UTC.
func (t Time) String() string { return time.UnixMilli(int64(t)).UTC().Format(timeLayout) }

// UnmarshalJSON reads RFC 3339, or null as zero.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = 0
		return nil
	}
	var parsed time.Time
	if err := parsed.UnmarshalJSON(b); err != nil {
		return err
	}
	*t = Time(parsed.UnixMilli())
	return nil
}
