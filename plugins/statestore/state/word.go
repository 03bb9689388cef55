package state

// A word is what the index holds for a key: 8 bits say what, 56 bits are the
// cell, or length and item of a value in its slab.
const (
	kindShift  = 56
	kindCell   = 1
	kindValue  = 2 // + size class
	itemBits   = 39
	payloadMax = 1<<kindShift - 1
)

func cellWord(cell uint64) uint64 { return kindCell<<kindShift | cell }

func valueWord(class int, item uint64, n int) uint64 {
	return uint64(kindValue+class)<<kindShift | uint64(n)<<itemBits | item
}

func isValue(word uint64) bool { return word>>kindShift >= kindValue }

func isCell(word uint64) bool { return word>>kindShift == kindCell }

func cellOf(word uint64) uint64 { return word & payloadMax }

func valueOf(word uint64) (class int, item uint64, n int) {
	return int(word>>kindShift) - kindValue, word & (1<<itemBits - 1), int(word & payloadMax >> itemBits)
}
