// Package seen remembers which uploads a partition has had, for a window of the
// log's time.
package seen

import "math"

// Table is what is needed of a *state.Table.
type Table interface {
	Time() int64
	Cell(key uint64) (cell uint64, ok bool)
	SetCell(key, cell uint64)
	Delete(key uint64)
	Range(yield func(key, cell uint64, value []byte) bool)
	SetTimer(id uint64, due int64)
	CancelTimer(id uint64)
	Due(time int64) (id uint64, due int64, ok bool)
}

const (
	sweepTimer = 1
	hour       = 3_600_000

	// A cell holds the second in which the upload came and the end of its offset.
	offsetBits = 25
	offsetMask = 1<<offsetBits - 1
	secondMask = 1<<(56-offsetBits) - 1
)

// Record takes the open record of the log with that offset, and says whether the
// upload with that key was there before within the window (milliseconds). Key 0
// is a record that is no upload. A record that the table has applied already
// gets the answer it had.
func Record(table Table, applied bool, offset, window int64, key uint64) (duplicate bool) {
	if applied {
		cell, known := table.Cell(key)
		return key != 0 && known && cell&offsetMask != uint64(offset)&offsetMask
	}
	at := table.Time()
	sweep(table, at, window)
	if key == 0 {
		return false
	}
	return remember(table, key, offset, at, window)
}

func remember(table Table, key uint64, offset, at, window int64) (duplicate bool) {
	if cell, known := table.Cell(key); known && !expired(cell, at, window) {
		return true
	}
	table.SetCell(key, uint64(at/1000)&secondMask<<offsetBits|uint64(offset)&offsetMask)
	if _, _, armed := table.Due(math.MaxInt64); !armed {
		table.SetTimer(sweepTimer, at+window+hour)
	}
	return false
}

// sweep forgets what has left the window, once an hour at most.
func sweep(table Table, at, window int64) {
	if _, _, due := table.Due(at); !due {
		return
	}
	var old []uint64
	oldest := int64(math.MaxInt64)
	table.Range(func(key, cell uint64, _ []byte) bool {
		if expired(cell, at, window) {
			old = append(old, key)
		} else {
			oldest = min(oldest, second(cell)*1000)
		}
		return true
	})
	for _, key := range old {
		table.Delete(key)
	}
	if oldest == math.MaxInt64 {
		table.CancelTimer(sweepTimer)
		return
	}
	table.SetTimer(sweepTimer, max(oldest+window, at)+hour)
}

func expired(cell uint64, at, window int64) bool { return at-second(cell)*1000 >= window }

func second(cell uint64) int64 { return int64(cell >> offsetBits & secondMask) }
