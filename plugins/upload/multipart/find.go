package multipart

import "bytes"

// findBytes returns where the delimiter stands at the beginning of a line, from
// there on, or -1.
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
