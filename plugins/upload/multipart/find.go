package multipart

import (
	"bytes"
	"math/bits"
)

// lookBytes is how much of a body dashedLines looks at in one step.
const lookBytes = 64

// find returns where the delimiter, which begins with a dash, stands at the
// beginning of a line, from there on, or -1. It looks for lines that begin with a
// dash: files are full of dashes, and full of lines, but seldom of both together.
func find(body []byte, from int, delimiter []byte) int {
	if atLine(body, from) && bytes.HasPrefix(body[from:], delimiter) {
		return from
	}
	for {
		ahead, lines := dashedLines(body, from)
		if lines == 0 {
			return findBytes(body, ahead, delimiter)
		}
		for ; lines != 0; lines &= lines - 1 {
			at := ahead + bits.TrailingZeros64(lines) + 1
			if bytes.HasPrefix(body[at:], delimiter) {
				return at
			}
		}
		from = ahead + lookBytes
	}
}

// findBytes is find for what dashedLines leaves.
func findBytes(body []byte, from int, delimiter []byte) int {
	for {
		found := bytes.Index(body[from:], delimiter)
		if found < 0 {
			return -1
		}
		if at := from + found; atLine(body, at) {
			return at
		}
		from += found + 1
	}
}

func atLine(body []byte, at int) bool { return at == 0 || body[at-1] == '\n' }
