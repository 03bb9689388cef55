// Package gunzip unpacks bodies in memory, with a limit, and with readers that
// are used again: making one costs more than a small body.
package gunzip

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// ErrTooLarge says that a body unpacks to more than allowed.
var ErrTooLarge = errors.New("the body unpacks to more bytes than allowed")

// Error says where a packed body breaks.
type Error struct {
	// Offset counts bytes of the packed body.
	Offset int
	Cause  error
}

// Error names the offset and the cause.
func (e *Error) Error() string {
	return fmt.Sprintf("the gzip is broken at byte %d: %v", e.Offset, e.Cause)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// reader is a gzip reader with its source.
type reader struct {
	source bytes.Reader
	gzip   gzip.Reader
}

var readers = sync.Pool{New: func() any { return new(reader) }}

// Append unpacks packed behind dst and returns the longer slice; most bounds
// what is unpacked. The error is ErrTooLarge or an *Error.
func Append(dst, packed []byte, most int) ([]byte, error) {
	r, _ := readers.Get().(*reader)
	defer readers.Put(r)
	r.source.Reset(packed)
	defer r.source.Reset(nil)
	if err := r.gzip.Reset(&r.source); err != nil {
		return dst, r.broken(packed, err)
	}
	begin := len(dst)
	for {
		if len(dst) == cap(dst) {
			dst = grow(dst, begin, len(packed), most)
		}
		n, err := r.gzip.Read(dst[len(dst):min(cap(dst), begin+most+1)])
		dst = dst[:len(dst)+n]
		if len(dst)-begin > most {
			return dst[:begin], ErrTooLarge
		}
		if errors.Is(err, io.EOF) {
			return dst, nil
		}
		if err != nil {
			return dst[:begin], r.broken(packed, err)
		}
	}
}

// grow makes room for what is probably to come: uploads shrink to a tenth.
func grow(dst []byte, begin, packed, most int) []byte {
	room := max(8*packed, 2*(len(dst)-begin), 4096)
	grown := make([]byte, len(dst), len(dst)+min(room, most+1))
	copy(grown, dst)
	return grown
}

func (r *reader) broken(packed []byte, err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &Error{Offset: len(packed) - r.source.Len(), Cause: err}
}
