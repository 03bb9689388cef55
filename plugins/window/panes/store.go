package panes

import (
	"fmt"

	"github.com/connect-testengine/connect-testengine/plugins/window/sketch"
)

// Table is what is needed of a *state.Table.
type Table interface {
	Cell(key uint64) (cell uint64, ok bool)
	SetCell(key, cell uint64)
	Value(key uint64) []byte
	SetValue(key uint64, value []byte)
	Delete(key uint64)
	Range(yield func(key, cell uint64, value []byte) bool)
	SetTimer(id uint64, due int64)
	CancelTimer(id uint64)
	Due(time int64) (id uint64, due int64, ok bool)
}

// pieces are the slices and sessions that are near, decoded. One that was
// changed is written once, at the end of its record. They lie in a few arrays
// which are dropped as a whole when they are many: everything is in the table.
type pieces struct {
	table  Table
	layout layout
	hot    int

	places places
	all    []piece
	dirty  []int32
	keys   []byte
	// The contents of piece i stand at i times their number.
	words     []float64
	quantiles []sketch.Quantiles
	distincts []sketch.Distinct
	folded    []int32 // pieces with a new base

	value []byte // scratch
}

type piece struct {
	id    uint64
	start int64
	// at and n are the place of the key.
	at, n  int
	dirty  bool
	folded uint64 // bit i: the base of sketch i is to be written
}

func newPieces(table Table, l layout, hot int) pieces {
	return pieces{table: table, layout: l, hot: hot}
}

func (p *pieces) key(i int32) []byte {
	one := &p.all[i]
	return p.keys[one.at : one.at+one.n]
}

func (p *pieces) contents(i int32) contents {
	l, n := &p.layout, int(i)
	return contents{
		words:     p.words[n*l.words : (n+1)*l.words],
		quantiles: p.quantiles[n*l.quantiles : (n+1)*l.quantiles],
		distincts: p.distincts[n*l.distincts : (n+1)*l.distincts],
	}
}

// trim writes and drops everything when there is too much of it. Numbers of
// pieces do not survive it.
func (p *pieces) trim() error {
	if len(p.all) < p.hot {
		return nil
	}
	if err := p.write(); err != nil {
		return err
	}
	p.forget()
	return nil
}

// forget drops what is decoded.
func (p *pieces) forget() {
	clear(p.places)
	clear(p.quantiles)
	clear(p.distincts)
	p.all, p.dirty, p.keys, p.folded = p.all[:0], p.dirty[:0], p.keys[:0], p.folded[:0]
	p.words, p.quantiles, p.distincts = p.words[:0], p.quantiles[:0], p.distincts[:0]
}

// find returns the piece of that id; ok is false when there is none.
func (p *pieces) find(id uint64) (i int32, ok bool, err error) {
	if i = p.places.find(p.all, id); i >= 0 {
		return i, true, nil
	}
	value := p.table.Value(id)
	if value == nil {
		return 0, false, nil
	}
	i = p.room(id)
	if err := p.decode(i, value); err != nil {
		return 0, false, fmt.Errorf("reading window %x: %w", id, err)
	}
	return i, true, nil
}

// has says that there is a piece of that id.
func (p *pieces) has(id uint64) bool {
	return p.places.find(p.all, id) >= 0 || p.table.Value(id) != nil
}

// create makes an empty piece, which is dirty.
func (p *pieces) create(id uint64, start int64, key []byte) int32 {
	i := p.room(id)
	one := &p.all[i]
	one.start, one.at, one.n = start, len(p.keys), len(key)
	p.keys = append(p.keys, key...)
	p.layout.empty(p.contents(i).words)
	p.touch(i)
	return i
}

func (p *pieces) room(id uint64) int32 {
	i := int32(len(p.all))
	p.all = append(p.all, piece{id: id})
	p.words = append(p.words, make([]float64, p.layout.words)...)
	p.quantiles = append(p.quantiles, make([]sketch.Quantiles, p.layout.quantiles)...)
	p.distincts = append(p.distincts, make([]sketch.Distinct, p.layout.distincts)...)
	p.places.add(p.all)
	return i
}

func (p *pieces) touch(i int32) {
	if one := &p.all[i]; !one.dirty {
		one.dirty = true
		p.dirty = append(p.dirty, i)
	}
}

// remove deletes a piece and the bases of its sketches.
func (p *pieces) remove(id uint64) {
	if i := p.places.find(p.all, id); i >= 0 {
		p.all[i].id, p.all[i].folded = 0, 0
	}
	p.table.Delete(id)
	for n := range p.layout.quantiles + p.layout.distincts {
		p.table.Delete(baseID(id, n))
	}
}

// add takes an event into a piece.
func (p *pieces) add(i int32, inputs []Input, scale sketch.Scale, precision uint8) error {
	c := p.contents(i)
	p.layout.add(c.words, inputs)
	p.touch(i)
	if p.layout.quantiles+p.layout.distincts == 0 {
		return nil
	}
	for a := range p.layout.aggregates {
		place := &p.layout.aggregates[a]
		if !inputs[a].Present {
			continue
		}
		switch place.Function {
		case Percentiles:
			q := &c.quantiles[place.at]
			if q.Full() {
				if err := p.loadBase(i, q, place.at); err != nil {
					return err
				}
			}
			if q.Add(scale, inputs[a].Number) {
				p.all[i].folded |= 1 << place.at
			}
		case Distinct:
			d, n := &c.distincts[place.at], p.layout.quantiles+place.at
			if d.Full() {
				if err := p.loadBase(i, d, n); err != nil {
					return err
				}
			}
			if _, folded := d.Add(precision, inputs[a].Hash); folded {
				p.all[i].folded |= 1 << n
			}
		default: // The others are words.
		}
	}
	return nil
}

// merge takes the contents of another piece, whose bases are loaded like its own.
func (p *pieces) merge(to, from int32, precision uint8) error {
	c := p.contents(to)
	if err := p.layout.merge(c, p.contents(from), precision); err != nil {
		return fmt.Errorf("merging sessions: %w", err)
	}
	p.touch(to)
	for n := range c.quantiles {
		if c.quantiles[n].Folded() {
			p.all[to].folded |= 1 << n
		}
	}
	for n := range c.distincts {
		if c.distincts[n].Folded() {
			p.all[to].folded |= 1 << (p.layout.quantiles + n)
		}
	}
	return nil
}
