package assemble

import "strconv"

// SyntaxError says where a body stops being what it claims to be.
type SyntaxError struct {
	// Format is JSON, XML or multipart.
	Format string
	// Offset counts bytes of the decompressed body from 0.
	Offset int
	Reason string
}

// Error names format, reason and offset.
func (e *SyntaxError) Error() string {
	return "the " + e.Format + " is broken at byte " + strconv.Itoa(e.Offset) + ": " + e.Reason
}

// Shifted is the same error for a part that begins at that offset of the body.
func (e *SyntaxError) Shifted(offset int) *SyntaxError {
	return &SyntaxError{Format: e.Format, Offset: e.Offset + offset, Reason: e.Reason}
}
