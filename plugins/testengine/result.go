package testengine

import "fmt"

// Result is how an execution ended.
type Result uint8

// The results. Unknown is the zero value: collectors may leave the result out.
const (
	ResultUnknown Result = iota
	ResultPassed
	ResultFailed
	ResultSkipped
	ResultPending
)

var resultNames = [...]string{"unknown", "passed", "failed", "skipped", "pending"}

// String returns the word used on the wire.
func (r Result) String() string {
	if int(r) < len(resultNames) {
		return resultNames[r]
	}
	return "unknown"
}

// Decisive reports whether the result says something about the test: passed or failed.
func (r Result) Decisive() bool { return r == ResultPassed || r == ResultFailed }

// ParseResult reads a result as collectors write it. Words no collector is
// known to send give ResultUnknown and false.
func ParseResult(word string) (Result, bool) {
	switch word {
	case "passed":
		return ResultPassed, true
	case "failed":
		return ResultFailed, true
	case "skipped":
		return ResultSkipped, true
	case "pending":
		return ResultPending, true
	case "unknown", "":
		return ResultUnknown, true
	}
	return ResultUnknown, false
}

// MarshalText writes the word used on the wire.
func (r Result) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the word used on the wire.
func (r *Result) UnmarshalText(text []byte) error {
	parsed, ok := ParseResult(string(text))
	if !ok {
		return fmt.Errorf("reading a result: %q is none of passed, failed, skipped, pending, unknown", text)
	}
	*r = parsed
	return nil
}
