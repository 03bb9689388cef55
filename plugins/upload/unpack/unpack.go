// Package unpack unpacks bodies in memory, with a limit, and with readers that
// are used again: making one costs more than a small body.
package unpack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
)

// ErrTooLarge says that a body unpacks to more than allowed.
var ErrTooLarge = errors.New("the body unpacks to more bytes than allowed")

// Error says where a packed body breaks.
type Error struct {
	Encoding Encoding
	// Offset counts bytes of the packed body; the reader may be some ahead of the break.
	Offset int
	Cause  error
}

// Error names the encoding, the offset and the cause.
func (e *Error) Error() string {
	return fmt.Sprintf("the %s is broken at byte %d: %v", e.Encoding, e.Offset, e.Cause)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// reader is a decoder of one encoding with its source.
type reader struct {
	source bytes.Reader
	opened opener
}

var readers = map[Encoding]*sync.Pool{
	Gzip:    {New: func() any { return &reader{opened: new(gzipReader)} }},
	Zstd:    {New: func() any { return &reader{opened: new(zstdReader)} }},
	Deflate: {New: func() any { return &reader{opened: new(deflateReader)} }},
}

// Append unpacks packed behind dst and returns the longer slice; most bounds
// what is unpacked. The error is ErrTooLarge or an *Error. The encoding is one
// that Named has returned.
func Append(encoding Encoding, dst, packed []byte, most int) ([]byte, error) {
	pool, packs := readers[encoding]
	if !packs {
		if len(packed) > most {
			return dst, ErrTooLarge
		}
		return append(dst, packed...), nil
	}
	r, _ := pool.Get().(*reader)
	defer pool.Put(r)
	r.source.Reset(packed)
	defer r.source.Reset(nil)
	unpacked, err := r.append(dst, packed, most)
	if err == nil || errors.Is(err, ErrTooLarge) {
		return unpacked, err
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return unpacked, &Error{Encoding: encoding, Offset: len(packed) - r.source.Len(), Cause: err}
}

func (r *reader) append(dst, packed []byte, most int) ([]byte, error) {
	plain, err := r.opened.open(&r.source)
	if err != nil {
		return dst, err
	}
	begin := len(dst)
	for {
		if len(dst) == cap(dst) {
			dst = grow(dst, begin, len(packed), most)
		}
		n, err := plain.Read(dst[len(dst):min(cap(dst), begin+most+1)])
		dst = dst[:len(dst)+n]
		if len(dst)-begin > most {
			return dst[:begin], ErrTooLarge
		}
		if errors.Is(err, io.EOF) {
			return dst, nil
		}
		if err != nil {
			return dst[:begin], err
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
