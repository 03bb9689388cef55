package main

import "os"

// headroom is how much more than usual the heap may grow between two garbage
// collections. What a block needs lives for milliseconds, so fewer collections
// find more of it dead; a percentage would let large states grow as well.
const headroom = 160 << 20

// profiledBytes is how much memory is taken between two samples of the memory
// profile. At the usual 512 KiB nearly every body is a sample, with its stack.
const profiledBytes = 8 << 20

// newBallast is what makes the headroom: it counts as heap and is never touched,
// so that it takes addresses and no memory. It is nil where GOGC or GOMEMLIMIT
// say what is wanted.
func newBallast() []byte {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	return make([]byte, headroom)
}
