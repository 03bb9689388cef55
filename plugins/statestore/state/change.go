package state

import (
	"encoding/binary"
	"errors"
	"slices"
)

// Changes are written as values, never as operations: applying them twice, or
// only the last one of a key, gives the same state. An op byte holds the kind
// and, for cells and times, how many of the eight little-endian bytes follow.
const (
	opCell = iota + 1
	opValue
	opDelete
	opTimer
	opCancel
	opBits = 3
	opMask = 1<<opBits - 1
)

const changeRoom = 1 + 8 + 8

var errChange = errors.New("the changes of a frame do not parse")

func appendCell(b []byte, key, cell uint64) []byte { return appendNumber(b, opCell, key, cell) }

func appendTimer(b []byte, id uint64, due int64) []byte {
	return appendNumber(b, opTimer, id, uint64(due))
}

func appendNumber(b []byte, op byte, key, number uint64) []byte {
	n := 0
	for rest := number; rest != 0; rest >>= 8 {
		n++
	}
	start := len(b)
	b = slices.Grow(b, changeRoom)[:start+changeRoom]
	b[start] = op | byte(n<<opBits)
	binary.LittleEndian.PutUint64(b[start+1:], key)
	binary.LittleEndian.PutUint64(b[start+9:], number)
	return b[:start+9+n]
}

func appendValue(b []byte, key uint64, value []byte) []byte {
	b = appendKey(b, opValue, key)
	b = binary.AppendUvarint(b, uint64(len(value)))
	return append(b, value...)
}

func appendKey(b []byte, op byte, key uint64) []byte {
	return binary.LittleEndian.AppendUint64(append(b, op), key)
}

// A change is one parsed change; value aliases the frame.
type change struct {
	op     byte
	key    uint64
	number uint64
	value  []byte
}

// nextChange cuts one change off b.
func nextChange(b []byte) (c change, rest []byte, err error) {
	if len(b) < 9 {
		return c, nil, errChange
	}
	c.op, c.key = b[0]&opMask, binary.LittleEndian.Uint64(b[1:])
	n := int(b[0] >> opBits)
	b = b[9:]
	switch c.op {
	case opCell, opTimer:
		if n > 8 || n > len(b) {
			return c, nil, errChange
		}
		for i := n - 1; i >= 0; i-- {
			c.number = c.number<<8 | uint64(b[i])
		}
		return c, b[n:], nil
	case opValue:
		length, used := binary.Uvarint(b)
		if used <= 0 || length > MaxValue || length > uint64(len(b)-used) {
			return c, nil, errChange
		}
		end := used + int(length)
		c.value = b[used:end]
		return c, b[end:], nil
	case opDelete, opCancel:
		return c, b, nil
	}
	return c, nil, errChange
}

// warmAhead is how many changes are looked at before they are applied, so that
// the cache misses of their entries overlap.
const warmAhead = 40

// apply brings the changes of a frame into the table.
func (t *Table) apply(changes []byte) error {
	var ahead [warmAhead]change
	var keys [warmAhead]uint64
	for len(changes) > 0 {
		n := 0
		for ; n < warmAhead && len(changes) > 0; n++ {
			c, rest, err := nextChange(changes)
			if err != nil {
				return err
			}
			ahead[n], keys[n], changes = c, c.key, rest
		}
		t.Warm(keys[:n])
		for _, c := range ahead[:n] {
			t.put(c)
		}
	}
	return nil
}

func (t *Table) put(c change) {
	switch c.op {
	case opCell:
		t.putCell(c.key, c.number)
	case opValue:
		t.putValue(c.key, c.value)
	case opDelete:
		t.remove(c.key)
	case opTimer:
		t.timers.set(c.key, int64(c.number))
	case opCancel:
		t.timers.cancel(c.key)
	}
}
