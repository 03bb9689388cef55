package sketch

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/axiomhq/hyperloglog"
)

// Distinct counts distinct things by their 64-bit hashes. The zero value is
// empty. Up to TailSize things are counted exactly.
type Distinct struct {
	tail   [TailSize]uint64
	n      int32
	folded bool
	base   *hyperloglog.Sketch
}

// MinPrecision and MaxPrecision bound the precision p: 2^p registers of a byte,
// and a standard error of 1.04/2^(p/2). A base must fit into a value of the state.
const (
	MinPrecision = 8
	MaxPrecision = 15
)

// Add takes a hash. It reports whether the sketch and its base have changed. The
// base of a sketch that has one must be loaded when the tail is full.
func (d *Distinct) Add(precision uint8, hash uint64) (changed, folded bool) {
	if slices.Contains(d.tail[:d.n], hash) {
		return false, false
	}
	d.tail[d.n] = hash
	d.n++
	if d.n < TailSize {
		return true, false
	}
	d.fold(precision)
	return true, true
}

// Full says that the next item folds the tail, for which the base has to be loaded.
func (d *Distinct) Full() bool { return d.n == TailSize-1 }

// Unloaded says that there is a base that was not loaded yet.
func (d *Distinct) Unloaded() bool { return d.folded && d.base == nil }

// Folded says that there is a base.
func (d *Distinct) Folded() bool { return d.folded }

func (d *Distinct) fold(precision uint8) {
	if d.base == nil {
		d.base = newHyperLogLog(precision)
	}
	for _, hash := range d.tail[:d.n] {
		d.base.InsertHash(hash)
	}
	d.n, d.folded = 0, true
}

// newHyperLogLog panics for a precision that the configuration cannot have.
func newHyperLogLog(precision uint8) *hyperloglog.Sketch {
	made, err := hyperloglog.NewSketch(precision, true)
	if err != nil {
		panic(fmt.Sprintf("making a sketch of precision %d: %v", precision, err))
	}
	return made
}

// Merge takes everything of another sketch. Both bases are loaded.
func (d *Distinct) Merge(precision uint8, other *Distinct) error {
	for _, hash := range other.tail[:other.n] {
		d.Add(precision, hash)
	}
	if other.base == nil {
		return nil
	}
	if d.base == nil {
		d.base = newHyperLogLog(precision)
	}
	d.folded = true
	if err := d.base.Merge(other.base); err != nil {
		return fmt.Errorf("merging distinct counts: %w", err)
	}
	return nil
}

// Count returns the estimate and changes nothing. The base must be loaded.
func (d *Distinct) Count() uint64 {
	if d.base == nil {
		return uint64(d.n)
	}
	all := d.base.Clone()
	for _, hash := range d.tail[:d.n] {
		all.InsertHash(hash)
	}
	return all.Estimate()
}

// AppendTail writes the tail and whether there is a base.
func (d *Distinct) AppendTail(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(d.n)<<1|flag(d.folded))
	for _, hash := range d.tail[:d.n] {
		b = binary.LittleEndian.AppendUint64(b, hash)
	}
	return b
}

// ReadTail reads what AppendTail wrote. A base stays unloaded.
func (d *Distinct) ReadTail(b []byte) (rest []byte, err error) {
	head, used := binary.Uvarint(b)
	if used <= 0 || head>>1 >= TailSize || uint64(len(b)-used) < head>>1*8 {
		return nil, ErrDamaged
	}
	b = b[used:]
	d.n, d.folded, d.base = int32(head>>1), head&1 == 1, nil
	for i := range d.tail[:d.n] {
		d.tail[i] = binary.LittleEndian.Uint64(b)
		b = b[8:]
	}
	return b, nil
}

// AppendBase writes the base in the library's format, which carries a version.
func (d *Distinct) AppendBase(b []byte) ([]byte, error) {
	b, err := d.base.AppendBinary(b)
	if err != nil {
		return b, fmt.Errorf("writing a distinct count: %w", err)
	}
	return b, nil
}

// LoadBase reads what AppendBase wrote.
func (d *Distinct) LoadBase(b []byte) error {
	base := new(hyperloglog.Sketch)
	if err := base.UnmarshalBinary(slices.Clone(b)); err != nil {
		return fmt.Errorf("reading a distinct count: %w", err)
	}
	d.base, d.folded = base, true
	return nil
}
