package main

import "os"

// headroom is how much more than usual the heap may grow between two garbage
// collections. What a block needs lives for milliseconds, so fewer collections
// find more of it dead; a percentage would let large states grow as well.
const headroom = 256 << 20

// ballast counts as heap and is never touched: it takes addresses, no memory.
var ballast []byte

// leaveHeadroom does nothing where GOGC or GOMEMLIMIT say what is wanted.
func leaveHeadroom() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		ballast = make([]byte, headroom)
	}
}
