package testengine

// RawJSON is a JSON value kept as it was sent. Empty means absent. It may alias
// the body it was cut from.
type RawJSON string

// MarshalJSON returns the value itself.
func (r RawJSON) MarshalJSON() ([]byte, error) {
	if r == "" {
		return []byte("null"), nil
	}
	return []byte(r), nil
}

// UnmarshalJSON keeps a copy of the value; null becomes absent.
func (r *RawJSON) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*r = ""
		return nil
	}
	*r = RawJSON(b)
	return nil
}
