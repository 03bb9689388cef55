package sketch

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/DataDog/sketches-go/ddsketch/mapping"
)

// A Scale maps values to the buckets of DDSketch: any value of a bucket is
// within the relative error of the bucket's own value.
type Scale struct{ mapping *mapping.LogarithmicMapping }

// NewScale makes a scale of that relative error, between 0 and 1.
func NewScale(relativeError float64) (Scale, error) {
	m, err := mapping.NewLogarithmicMapping(relativeError)
	if err != nil {
		return Scale{}, fmt.Errorf("making buckets: %w", err)
	}
	return Scale{mapping: m}, nil
}

// A code names a bucket, in order of value: negative values below 0, which is
// the bucket of everything too small to have one, positive values above.
const codeOrigin = 1 << 17

// maxIndex is the last bucket on either side of 1: a relative error below 0.0027
// would have more, and a code beyond could be neither told from those of the other
// sign nor read back. At 0.001 it is that of 10^113, and of 10^-113.
const maxIndex = codeOrigin - 1

func (s Scale) code(value float64) int32 {
	size := math.Abs(value)
	if size < s.mapping.MinIndexableValue() {
		return 0
	}
	index := s.mapping.Index(min(size, s.mapping.MaxIndexableValue()))
	code := int32(max(-maxIndex, min(index, maxIndex))) + codeOrigin
	if value < 0 {
		return -code
	}
	return code
}

func (s Scale) value(code int32) float64 {
	switch {
	case code > 0:
		return s.mapping.Value(int(code - codeOrigin))
	case code < 0:
		return -s.mapping.Value(int(-code - codeOrigin))
	}
	return 0
}

// Quantiles are the values of a window, by bucket. The zero value is empty.
type Quantiles struct {
	tail [TailSize]int32
	n    int32
	// folded says that there are older items: bins when they are loaded.
	folded bool
	loaded bool
	bins   []bin // in order of code
}

type bin struct {
	code  int32
	count uint64
}

// Add takes a value, which is finite. It reports whether the base has changed.
// The base of a sketch that has one must be loaded.
func (q *Quantiles) Add(s Scale, value float64) (folded bool) {
	q.tail[q.n] = s.code(value)
	q.n++
	if q.n < TailSize {
		return false
	}
	q.fold()
	return true
}

// Full says that the next item folds the tail, for which the base has to be loaded.
func (q *Quantiles) Full() bool { return q.n == TailSize-1 }

// Unloaded says that there is a base that was not loaded yet.
func (q *Quantiles) Unloaded() bool { return q.folded && !q.loaded }

// Folded says that there is a base.
func (q *Quantiles) Folded() bool { return q.folded }

func (q *Quantiles) fold() {
	tail := q.tail[:q.n]
	slices.Sort(tail)
	added := make([]bin, 0, len(tail))
	for _, code := range tail {
		if last := len(added) - 1; last >= 0 && added[last].code == code {
			added[last].count++
			continue
		}
		added = append(added, bin{code, 1})
	}
	q.bins = collapse(mergeBins(q.bins, added))
	q.n, q.folded, q.loaded = 0, true, true
}

func mergeBins(a, b []bin) []bin {
	if len(a) == 0 {
		return b
	}
	merged := make([]bin, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].code < b[0].code:
			merged, a = append(merged, a[0]), a[1:]
		case a[0].code > b[0].code:
			merged, b = append(merged, b[0]), b[1:]
		default:
			merged = append(merged, bin{a[0].code, a[0].count + b[0].count})
			a, b = a[1:], b[1:]
		}
	}
	return append(append(merged, a...), b...)
}

// MaxBins is how many buckets a sketch keeps: enough for values that differ by a
// factor of 10^35. The lowest beyond that are counted in the lowest that is kept.
const MaxBins = 4096

func collapse(bins []bin) []bin {
	excess := len(bins) - MaxBins
	if excess <= 0 {
		return bins
	}
	for _, b := range bins[:excess] {
		bins[excess].count += b.count
	}
	return bins[excess:]
}

// Merge takes everything of another sketch whose base is loaded. Its own base is loaded too.
func (q *Quantiles) Merge(other *Quantiles) {
	o := *other
	if o.n > 0 {
		o.fold()
	}
	if q.n > 0 {
		q.fold()
	}
	q.bins = collapse(mergeBins(q.bins, o.bins))
	q.folded, q.loaded = len(q.bins) > 0, true
}

// At returns the values at the quantiles (0 to 1), NaN each for an empty sketch.
// The base must be loaded.
func (q *Quantiles) At(s Scale, quantiles []float64) []float64 {
	all := *q
	if all.n > 0 {
		all.fold()
	}
	var count uint64
	for _, b := range all.bins {
		count += b.count
	}
	values := make([]float64, len(quantiles))
	for i, at := range quantiles {
		values[i] = math.NaN()
		rank := at * float64(count-min(count, 1))
		var below uint64
		for _, b := range all.bins {
			if below += b.count; float64(below) > rank {
				values[i] = s.value(b.code)
				break
			}
		}
	}
	return values
}

// AppendTail writes the tail and whether there is a base.
func (q *Quantiles) AppendTail(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(q.n)<<1|flag(q.folded))
	for _, code := range q.tail[:q.n] {
		b = binary.AppendVarint(b, shift(code))
	}
	return b
}

// shift moves common values near 0, so that they are written in two bytes.
func shift(code int32) int64 {
	switch {
	case code > 0:
		return int64(code-codeOrigin)<<1 | 1
	case code < 0:
		return int64(code+codeOrigin) << 1
	}
	return zeroShift
}

// zeroShift is beyond all buckets.
const zeroShift = int64(codeOrigin) << 2

func unshift(shifted int64) (code int32, ok bool) {
	switch {
	case shifted == zeroShift:
		return 0, true
	case shifted >= zeroShift/2 || shifted <= -zeroShift/2:
		return 0, false
	case shifted&1 == 1:
		return int32(shifted>>1) + codeOrigin, true
	}
	return int32(shifted>>1) - codeOrigin, true
}

// ReadTail reads what AppendTail wrote. A base stays unloaded.
func (q *Quantiles) ReadTail(b []byte) (rest []byte, err error) {
	head, used := binary.Uvarint(b)
	if used <= 0 || head>>1 >= TailSize {
		return nil, ErrDamaged
	}
	b = b[used:]
	q.n, q.folded, q.loaded, q.bins = int32(head>>1), head&1 == 1, false, nil
	for i := range q.tail[:q.n] {
		shifted, used := binary.Varint(b)
		if used <= 0 {
			return nil, ErrDamaged
		}
		code, ok := unshift(shifted)
		if !ok {
			return nil, ErrDamaged
		}
		q.tail[i], b = code, b[used:]
	}
	return b, nil
}

// AppendBase writes the base: distances between codes, and counts.
func (q *Quantiles) AppendBase(b []byte) []byte {
	last := int32(0)
	for _, bin := range q.bins {
		b = binary.AppendVarint(b, int64(bin.code-last))
		b = binary.AppendUvarint(b, bin.count)
		last = bin.code
	}
	return b
}

// LoadBase reads what AppendBase wrote.
func (q *Quantiles) LoadBase(b []byte) error {
	q.bins = q.bins[:0]
	last, first := int64(0), true
	for len(b) > 0 {
		step, used := binary.Varint(b)
		if used <= 0 || !first && step <= 0 || step > 4*codeOrigin || step < -2*codeOrigin {
			return ErrDamaged
		}
		count, more := binary.Uvarint(b[used:])
		last += step
		if more <= 0 || count == 0 || last > 2*codeOrigin || last < -2*codeOrigin {
			return ErrDamaged
		}
		q.bins = append(q.bins, bin{int32(last), count})
		b, first = b[used+more:], false
	}
	q.folded, q.loaded = true, true
	return nil
}

func flag(set bool) uint64 {
	if set {
		return 1
	}
	return 0
}
