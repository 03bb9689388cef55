//go:build goexperiment.simd && amd64

package cut

import "simd/archsimd"

// looks are the ways to make marks that this build has, and this machine can run.
func looks() map[string]func(*[windowBytes]byte, *[windowMarks]marks) {
	all := map[string]func(*[windowBytes]byte, *[windowMarks]marks){"words": lookWords, "the machine's": look}
	if archsimd.X86.AVX2() {
		all["vectors of 32 bytes"] = lookVectors
	}
	if archsimd.X86.AVX512() {
		all["vectors of 64 bytes"] = lookWide
	}
	return all
}
