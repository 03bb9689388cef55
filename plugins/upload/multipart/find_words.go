//go:build !goexperiment.simd || !amd64

package multipart

// find returns where the delimiter stands at the beginning of a line, from there
// on, or -1.
func find(body []byte, from int, delimiter []byte) int { return findBytes(body, from, delimiter) }
