//go:build !goexperiment.simd || !amd64

package cut

// look makes the marks of a part of a document.
func look(b *[windowBytes]byte, into *[windowMarks]marks) { lookWords(b, into) }
