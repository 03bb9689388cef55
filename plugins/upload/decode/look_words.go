//go:build !goexperiment.simd || !amd64

package decode

// Without vectors nothing is wide: none of these is called.

const wide = false

func otherWide(_, _ *[lookBytes]byte) uint64 { return 0 }

func oddWide(*[lookBytes]byte) uint64 { return 0 }

func noDigitsWide(*[lookBytes]byte) uint64 { return 0 }

func escapesWide(*[lookBytes]byte) uint64 { return 0 }

func bracketsWide(*[lookBytes]byte) (quotes, slashes, opening, closing uint64) { return 0, 0, 0, 0 }
