// Package cut divides documents between their records: each chunk is a complete
// document of its own, with everything that stands around the records repeated,
// so that chunks can be processed alone and in parallel.
//
// Where a document is cut depends on the document and the limit alone, and the
// records of all chunks in order are the records of the document.
package cut

import (
	"errors"
	"fmt"
)

// ErrNoRecords says that the document cannot be cut between records: a record
// with what stands around it is longer than the limit, or there are no records
// where they are said to be. Whoever needs it smaller cuts it by bytes.
var ErrNoRecords = errors.New("it cannot be cut between records")

// A SyntaxError says where a document is not what it is said to be.
type SyntaxError struct {
	Offset int
	Reason string
}

// Error names the byte and the reason.
func (e *SyntaxError) Error() string { return fmt.Sprintf("at byte %d %s", e.Offset, e.Reason) }

// Chunk is one document of a plan. Its parts alias the body.
type Chunk struct {
	// Before and After are what stands around the records.
	Before, After [][]byte
	// Records is the part of the body that is this chunk's alone.
	Records []byte
	// First is the index of the first record in the body, Count how many there are.
	First, Count int
}

// Len is the length of the document in bytes.
func (c *Chunk) Len() int { return length(c.Before) + len(c.Records) + length(c.After) }

// Append writes the document behind dst.
func (c *Chunk) Append(dst []byte) []byte {
	for _, part := range c.Before {
		dst = append(dst, part...)
	}
	dst = append(dst, c.Records...)
	for _, part := range c.After {
		dst = append(dst, part...)
	}
	return dst
}

func length(parts [][]byte) (n int) {
	for _, part := range parts {
		n += len(part)
	}
	return n
}

// Within puts what stands around an inner document around every chunk of it:
// the other parts of a form, for example.
func Within(before, after []byte, chunks []Chunk) []Chunk {
	for i := range chunks {
		c := &chunks[i]
		c.Before = append([][]byte{before}, c.Before...)
		c.After = append(append(make([][]byte, 0, len(c.After)+1), c.After...), after)
	}
	return chunks
}
