package panes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// The first byte of a value.
const (
	valuePiece   = 1 // of a slice or session: start, key, words, tails of sketches
	valueBase    = 2 // of a sketch
	valueSession = 3 // the sessions of a key
	valueDivided = 4 // the mark of a division
)

var errValue = errors.New("a window of the state does not parse")

// baseID is the key of sketch n of a piece: quantiles first, then distinct counts.
func baseID(id uint64, n int) uint64 { return testengine.HashUint(id, uint64(n)+1) }

// write puts what was changed into the table.
func (p *pieces) write() error {
	for _, i := range p.dirty {
		one := &p.all[i]
		one.dirty = false
		if one.id == 0 {
			continue
		}
		p.value = p.encode(p.value[:0], i)
		p.table.SetValue(one.id, p.value)
		if one.folded != 0 {
			if err := p.writeBases(i); err != nil {
				return err
			}
		}
	}
	p.dirty = p.dirty[:0]
	return nil
}

func (p *pieces) writeBases(i int32) (err error) {
	one, c := &p.all[i], p.contents(i)
	for folded := one.folded; folded != 0; folded &= folded - 1 {
		n := bits.TrailingZeros64(folded)
		p.value = append(p.value[:0], valueBase)
		if n < p.layout.quantiles {
			p.value = c.quantiles[n].AppendBase(p.value)
		} else if p.value, err = c.distincts[n-p.layout.quantiles].AppendBase(p.value); err != nil {
			return err
		}
		p.table.SetValue(baseID(one.id, n), p.value)
	}
	one.folded = 0
	return nil
}

func (p *pieces) encode(b []byte, i int32) []byte {
	c := p.contents(i)
	b = append(b, valuePiece)
	b = binary.AppendUvarint(b, uint64(p.all[i].start))
	b = binary.AppendUvarint(b, uint64(p.all[i].n))
	b = append(b, p.key(i)...)
	b = slices.Grow(b, len(c.words)*binary.MaxVarintLen64+7) // putUvarint writes eight bytes at a time.
	at := len(b)
	b = b[:cap(b)]
	for _, word := range c.words {
		// Turned round, whole numbers are short.
		at += putUvarint(b[at:], bits.ReverseBytes64(math.Float64bits(word)))
	}
	b = b[:at]
	for n := range c.quantiles {
		b = c.quantiles[n].AppendTail(b)
	}
	for n := range c.distincts {
		b = c.distincts[n].AppendTail(b)
	}
	return b
}

// putUvarint is binary.PutUvarint without a loop over bytes: a sum of decimals has
// ten of them. It may write up to seven bytes behind its end.
func putUvarint(b []byte, x uint64) (n int) {
	const continued = 0x8080808080808080
	n = (bits.Len64(x|1) + 6) / 7
	// The low 56 bits, seven to a byte.
	low := x&0x0fffffff | x&0xfffffff0000000<<4
	low = low&0x00003fff00003fff | low&0x0fffc0000fffc000<<2
	low = low&0x007f007f007f007f | low&0x3f803f803f803f80<<1
	if n <= 8 {
		binary.LittleEndian.PutUint64(b, low|continued&(1<<(8*(n-1))-1))
		return n
	}
	binary.LittleEndian.PutUint64(b, low|continued)
	b[8], b[9] = byte(x>>56)|0x80, byte(x>>63)
	if n == 9 {
		b[8] &= 0x7f
	}
	return n
}

// startOf reads the start out of a piece's value.
func startOf(value []byte) (start int64, rest []byte, err error) {
	number, used := binary.Uvarint(value[1:])
	if used <= 0 || number > math.MaxInt64 {
		return 0, nil, errValue
	}
	return int64(number), value[1+used:], nil
}

func (p *pieces) decode(i int32, value []byte) (err error) {
	one, c := &p.all[i], p.contents(i)
	if len(value) == 0 || value[0] != valuePiece {
		return errValue
	}
	if one.start, value, err = startOf(value); err != nil {
		return err
	}
	n, used := binary.Uvarint(value)
	if used <= 0 || n > uint64(len(value)-used) {
		return errValue
	}
	one.at, one.n = len(p.keys), int(n)
	p.keys = append(p.keys, value[used:used+one.n]...)
	value = value[used+one.n:]
	for w := range c.words {
		word, used := binary.Uvarint(value)
		if used <= 0 {
			return errValue
		}
		c.words[w], value = math.Float64frombits(bits.ReverseBytes64(word)), value[used:]
	}
	for n := range c.quantiles {
		if value, err = c.quantiles[n].ReadTail(value); err != nil {
			return err
		}
	}
	for n := range c.distincts {
		if value, err = c.distincts[n].ReadTail(value); err != nil {
			return err
		}
	}
	if len(value) > 0 {
		return errValue
	}
	return nil
}

// load reads the bases of a piece's sketches.
func (p *pieces) load(i int32) error {
	c := p.contents(i)
	for n := range c.quantiles {
		if err := p.loadBase(i, &c.quantiles[n], n); err != nil {
			return err
		}
	}
	for n := range c.distincts {
		if err := p.loadBase(i, &c.distincts[n], p.layout.quantiles+n); err != nil {
			return err
		}
	}
	return nil
}

// based is a sketch whose larger part, its base, stays in the table until it is needed.
type based interface {
	Unloaded() bool
	LoadBase(base []byte) error
}

func (p *pieces) loadBase(i int32, s based, n int) error {
	if !s.Unloaded() {
		return nil
	}
	base, err := p.base(i, n)
	if err != nil {
		return err
	}
	return s.LoadBase(base)
}

func (p *pieces) base(i int32, n int) ([]byte, error) {
	value := p.table.Value(baseID(p.all[i].id, n))
	if len(value) == 0 || value[0] != valueBase {
		return nil, fmt.Errorf("reading sketch %d of window %x: %w", n, p.all[i].id, errValue)
	}
	return value[1:], nil
}
