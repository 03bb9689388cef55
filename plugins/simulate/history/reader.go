package history

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Reader cuts a stream into lines, each in memory of its own.
type Reader struct {
	in    *bufio.Reader
	limit int
}

// NewReader reads lines of at most limit bytes.
func NewReader(in io.Reader, limit int) *Reader {
	return &Reader{in: bufio.NewReaderSize(in, 1<<20), limit: limit}
}

// Next returns the next line without its line break, io.EOF after the last. A
// line beyond the limit is passed over and reported as *Problem.
func (r *Reader) Next() ([]byte, error) {
	var line []byte
	tooLong := false
	for {
		part, err := r.in.ReadSlice('\n')
		if tooLong = tooLong || len(line)+len(part) > r.limit; tooLong {
			line = line[:0]
		} else {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case tooLong && (err == nil || errors.Is(err, io.EOF)):
			return nil, &Problem{Reason: fmt.Sprintf("the line has more than %d bytes", r.limit)}
		case errors.Is(err, io.EOF) && len(line) > 0:
			return line, nil
		case err != nil:
			return nil, err
		}
		return line[:len(line)-1], nil
	}
}
