// Package hold keeps the pieces of open payloads in a table of state, so that a
// log may move on behind them: after a crash they are there again.
package hold

import (
	"encoding/binary"
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/chunk/join"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Table is what is needed of a *state.Table.
type Table interface {
	Time() int64
	Cell(key uint64) (cell uint64, ok bool)
	SetCell(key, cell uint64)
	Value(key uint64) []byte
	SetValue(key uint64, value []byte)
	Delete(key uint64)
	SetTimer(id uint64, due int64)
	CancelTimer(id uint64)
	Due(time int64) (id uint64, due int64, ok bool)
}

// Limits bound what is held; times are milliseconds of the log.
type Limits struct {
	Bytes   int64
	Pieces  int
	Timeout int64
	// Linger is how long a payload that was whole is kept, so that its last record
	// can be answered again.
	Linger int64
}

// Piece is one piece of a payload.
type Piece struct {
	ID           string
	Org, Suite   string
	Index, Count int
	Bytes        int64
	Checksum     string
	Content      []byte
}

// Lost is a piece that is given up.
type Lost struct {
	Piece
	Reason error
}

// openBytes is the cell that counts the bytes held.
const openBytes = 1

// What is known of a payload is one value, and one that is longer than the state
// takes would hold its lane for ever: names are bounded, and so are pieces, which
// take up to five bytes each.
const (
	// MaxNames is how many bytes id, org, suite and checksum have together.
	MaxNames = 16 << 10
	// MaxPieces bounds Limits.Pieces.
	MaxPieces = 5000
)

// segment is how much of a piece one value holds: values have at most 64 KiB.
const segment = 60 << 10

// Add takes the piece that the record at offset carries. whole is the payload
// that it completes, nil when it completes none; lost are pieces given up.
func Add(t Table, limits Limits, offset int64, p Piece, checksum func([]byte) string) (whole []byte, lost []Lost) {
	id := keyOf(p.ID)
	h, known := readHeader(t, id)
	if !known {
		if reason := impossible(&p, limits); reason != nil {
			return nil, []Lost{{p, reason}}
		}
		h = header{Count: p.Count, Bytes: p.Bytes, Checksum: p.Checksum, ID: p.ID, Org: p.Org, Suite: p.Suite, lengths: make([]int64, p.Count)}
	}
	if p.Count != h.Count || p.Index < 0 || p.Index >= h.Count || p.Bytes != h.Bytes || p.Checksum != h.Checksum {
		return nil, []Lost{{p, join.ErrMismatch}}
	}
	if h.Done > 0 || h.lengths[p.Index] > 0 {
		return nil, nil // it came before
	}
	held, _ := t.Cell(openBytes)
	if int64(held)+int64(len(p.Content)) > limits.Bytes {
		lost = giveUp(t, id, h, join.ErrBudget)
		return nil, append(lost, Lost{p, join.ErrBudget})
	}
	t.SetCell(openBytes, held+uint64(len(p.Content)))
	writePiece(t, id, p.Index, p.Content)
	h.lengths[p.Index] = int64(len(p.Content)) + 1
	if !known {
		t.SetTimer(id, t.Time()+limits.Timeout)
	}
	if !h.complete() {
		writeHeader(t, id, h)
		return nil, nil
	}
	whole = payloadOf(t, id, h)
	if int64(len(whole)) != h.Bytes || checksum(whole) != h.Checksum {
		return nil, giveUp(t, id, h, join.ErrChecksum)
	}
	h.Done = offset + 1
	writeHeader(t, id, h)
	t.SetTimer(id, t.Time()+limits.Linger)
	return whole, nil
}

// impossible says why no payload can begin with the piece: what it claims is not
// its own content but text that came with it.
func impossible(p *Piece, limits Limits) error {
	switch {
	case p.Count < 1 || p.Count > limits.Pieces || p.Bytes < 0:
		return join.ErrMismatch
	case p.Bytes > limits.Bytes:
		return join.ErrBudget
	case len(p.ID)+len(p.Org)+len(p.Suite)+len(p.Checksum) > MaxNames:
		return join.ErrNames
	}
	return nil
}

// Again is what Add said of a record that the table contains already.
func Again(t Table, offset int64, p Piece) (whole []byte) {
	id := keyOf(p.ID)
	if h, known := readHeader(t, id); known && h.Done == offset+1 {
		return payloadOf(t, id, h)
	}
	return nil
}

// Expire ends payloads whose time is over: those that are not whole are lost.
func Expire(t Table, now int64) (lost []Lost) {
	for {
		id, _, due := t.Due(now)
		if !due {
			return lost
		}
		h, known := readHeader(t, id)
		switch {
		case !known:
			t.CancelTimer(id)
		case h.Done > 0:
			forget(t, id, h)
		default:
			lost = append(lost, giveUp(t, id, h, join.ErrTimeout)...)
		}
	}
}

func giveUp(t Table, id uint64, h header, reason error) (lost []Lost) {
	for index, length := range h.lengths {
		if length == 0 {
			continue
		}
		lost = append(lost, Lost{Piece{
			ID: h.ID, Org: h.Org, Suite: h.Suite, Index: index, Count: h.Count, Bytes: h.Bytes, Checksum: h.Checksum,
			Content: appendPiece(nil, t, id, index, int(length-1)),
		}, reason})
	}
	forget(t, id, h)
	return lost
}

func forget(t Table, id uint64, h header) {
	held, _ := t.Cell(openBytes)
	for index, length := range h.lengths {
		if length == 0 {
			continue
		}
		held -= min(held, uint64(length-1))
		for n := range segments(int(length - 1)) {
			t.Delete(segmentKey(id, index, n))
		}
	}
	t.SetCell(openBytes, held)
	t.Delete(id)
	t.CancelTimer(id)
}

func keyOf(id string) uint64 { return max(2, testengine.Hash(0, id)) }

func segmentKey(id uint64, index, n int) uint64 {
	return max(2, testengine.HashUint(testengine.HashUint(id, uint64(index)), uint64(n)))
}

// segments is how many values a piece of that length takes: an empty one takes one.
func segments(length int) int { return max(1, (length+segment-1)/segment) }

func writePiece(t Table, id uint64, index int, content []byte) {
	for n := range segments(len(content)) {
		t.SetValue(segmentKey(id, index, n), content[n*segment:min(len(content), (n+1)*segment)])
	}
}

func appendPiece(to []byte, t Table, id uint64, index, length int) []byte {
	for n := range segments(length) {
		to = append(to, t.Value(segmentKey(id, index, n))...)
	}
	return to
}

func payloadOf(t Table, id uint64, h header) []byte {
	whole := make([]byte, 0, h.Bytes)
	for index, length := range h.lengths {
		whole = appendPiece(whole, t, id, index, int(length-1))
	}
	return whole
}

// header is what is known of an open payload.
type header struct {
	ID, Org, Suite string
	Checksum       string
	Count          int
	Bytes          int64
	// Done is the offset of the completing record and one, 0 while pieces are missing.
	Done int64
	// lengths are those of the pieces and one, 0 for those that have not come.
	lengths []int64
}

func (h *header) complete() bool {
	return !slices.Contains(h.lengths, 0)
}

func writeHeader(t Table, id uint64, h header) {
	var to []byte
	for _, text := range []string{h.ID, h.Org, h.Suite, h.Checksum} {
		to = binary.AppendUvarint(to, uint64(len(text)))
		to = append(to, text...)
	}
	to = binary.AppendVarint(binary.AppendVarint(to, h.Bytes), h.Done)
	to = binary.AppendUvarint(to, uint64(h.Count))
	for _, length := range h.lengths {
		to = binary.AppendVarint(to, length)
	}
	t.SetValue(id, to)
}

func readHeader(t Table, id uint64) (h header, known bool) {
	from := t.Value(id)
	if from == nil {
		return h, false
	}
	for _, text := range []*string{&h.ID, &h.Org, &h.Suite, &h.Checksum} {
		length, n := binary.Uvarint(from)
		*text = string(from[n : n+int(length)])
		from = from[n+int(length):]
	}
	number := func() int64 {
		value, n := binary.Varint(from)
		from = from[n:]
		return value
	}
	h.Bytes, h.Done = number(), number()
	count, n := binary.Uvarint(from)
	from, h.Count = from[n:], int(count)
	h.lengths = make([]int64, h.Count)
	for i := range h.lengths {
		h.lengths[i] = number()
	}
	return h, true
}
