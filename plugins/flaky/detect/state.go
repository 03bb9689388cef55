package detect

import "github.com/connect-testengine/connect-testengine/plugins/testengine"

// State is the processor's table in one lane, as package state has it: cells
// and values by 64-bit key, timers by id.
type State interface {
	// Warm brings the entries of keys near that are about to be looked up.
	Warm(keys []uint64)
	Cell(key uint64) (cell uint64, ok bool)
	SetCell(key, cell uint64)
	Value(key uint64) []byte
	SetValue(key uint64, value []byte)
	Delete(key uint64)
	SetTimer(id uint64, due int64)
	CancelTimer(id uint64)
	Due(time int64) (id uint64, due int64, ok bool)
	Time() int64
	Generation() uint64
}

// The kinds of values, written as their first byte. A timer's id is the key of
// the value it is about.
const (
	kindSuite    = 'S' // a suite: counters, medians, lines
	kindHosts    = 'H' // a suite's hosts
	kindRecent   = 'N' // a suite's newest failures
	kindSettings = 'O' // a suite's own settings
	kindCommit   = 'K' // a commit
	kindSlot     = 'L' // the commit of a slot
	kindPasses   = 'P' // 512 tests that passed on a commit
	kindRun      = 'R' // a run
	kindOutcomes = 'U' // outcomes of a run
	kindRecord   = 'F' // a test that failed
	kindRecord2  = 'T' // the same as rules 2 wrote it
	kindShared   = 'D' // an identity that two files share
	kindNames    = 'E' // names and evidence of a test that failed
	kindSiblings = 'V' // evidence about all variants of a test
	kindTouched  = 'C' // tests that were touched since the rules changed
)

func keyOf(seed uint64, kind byte, id uint64) uint64 {
	return testengine.HashUint(testengine.HashUint(seed, uint64(kind)), id)
}

// A cell holds a test that never failed in one variant: how often it passed on
// the line the filter follows, its number among the suite's tests, and 16 bits
// of its file.
const (
	cellPassBits  = 16
	cellDenseBits = 24
)

type cell struct {
	passes uint32
	dense  uint32
	file   uint16
}

func (c cell) pack() uint64 {
	return uint64(c.passes)<<(cellDenseBits+16) | uint64(c.dense)<<16 | uint64(c.file)
}

func unpackCell(v uint64) cell {
	return cell{
		passes: uint32(v >> (cellDenseBits + 16) & (1<<cellPassBits - 1)),
		dense:  uint32(v >> 16 & (1<<cellDenseBits - 1)),
		file:   uint16(v),
	}
}
