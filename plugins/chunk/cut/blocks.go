//go:build !goexperiment.simd || !amd64

package cut

// blocks is for builds with vector instructions (GOEXPERIMENT=simd); without
// them nested goes on by words.
func blocks(_ []byte, i, depth int, inside, carried uint64) (at, deep int, in, escape uint64) {
	return i, depth, inside, carried
}
