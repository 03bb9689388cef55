//go:build !goexperiment.simd || !amd64

package cut

// looks are the ways to make marks that this build has.
func looks() map[string]func(*[windowBytes]byte, *[windowMarks]marks) {
	return map[string]func(*[windowBytes]byte, *[windowMarks]marks){"words": lookWords}
}
