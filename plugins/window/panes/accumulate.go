package panes

import (
	"math"

	"github.com/connect-testengine/connect-testengine/plugins/window/sketch"
)

// Input is what an event has for an aggregate.
type Input struct {
	// Number is finite.
	Number float64
	// Hash names the thing that Distinct counts.
	Hash uint64
	// Present is false when the event has nothing for the aggregate.
	Present bool
}

// A layout says where an aggregate's numbers stand among those of a window: word
// 0 is the number of events, quantiles and distinct counts have their own places.
type layout struct {
	aggregates []place
	words      int
	quantiles  int
	distincts  int
}

type place struct {
	Aggregate
	at        int
	quantiles []float64 // of Percentiles, 0 to 1
}

func layoutOf(aggregates []Aggregate) layout {
	l := layout{words: 1}
	for _, a := range aggregates {
		p := place{Aggregate: a}
		switch a.Function {
		case Percentiles:
			p.at = l.quantiles
			l.quantiles++
			for _, percent := range a.Percentiles {
				p.quantiles = append(p.quantiles, percent/100)
			}
		case Distinct:
			p.at = l.distincts
			l.distincts++
		case Sum, Avg:
			p.at = l.words
			l.words += 2
		default:
			p.at = l.words
			l.words++
		}
		l.aggregates = append(l.aggregates, p)
	}
	return l
}

// contents are the numbers of one window.
type contents struct {
	words     []float64
	quantiles []sketch.Quantiles
	distincts []sketch.Distinct
}

// eventsIn is the number of events that the words are of.
func eventsIn(words []float64) int64 { return int64(words[0]) }

// empty makes words those of a window without events: least and greatest of nothing are NaN.
func (l *layout) empty(words []float64) {
	clear(words)
	for i := range l.aggregates {
		if f := l.aggregates[i].Function; f == Min || f == Max {
			words[l.aggregates[i].at] = math.NaN()
		}
	}
}

// add takes an event into the words. Sketches are the caller's.
func (l *layout) add(words []float64, inputs []Input) {
	words[0]++
	for i := range l.aggregates {
		in := &inputs[i]
		if !in.Present {
			continue
		}
		p := &l.aggregates[i]
		switch p.Function {
		case Count:
			words[p.at]++
		case Sum, Avg:
			words[p.at]++
			words[p.at+1] += in.Number
		case Min:
			words[p.at] = least(words[p.at], in.Number)
		case Max:
			words[p.at] = greatest(words[p.at], in.Number)
		default: // Distinct and Percentiles are sketches.
		}
	}
}

// merge takes another window's contents, whose sketches are loaded as these are.
func (l *layout) merge(to, from contents, precision uint8) error {
	to.words[0] += from.words[0]
	for i := range l.aggregates {
		p := &l.aggregates[i]
		switch p.Function {
		case Count:
			to.words[p.at] += from.words[p.at]
		case Sum, Avg:
			to.words[p.at] += from.words[p.at]
			to.words[p.at+1] += from.words[p.at+1]
		case Min:
			to.words[p.at] = least(to.words[p.at], from.words[p.at])
		case Max:
			to.words[p.at] = greatest(to.words[p.at], from.words[p.at])
		case Percentiles:
			to.quantiles[p.at].Merge(&from.quantiles[p.at])
		case Distinct:
			if err := to.distincts[p.at].Merge(precision, &from.distincts[p.at]); err != nil {
				return err
			}
		}
	}
	return nil
}

// least and greatest take NaN as nothing.
func least(a, b float64) float64 {
	if a < b || b != b {
		return a
	}
	return b
}

func greatest(a, b float64) float64 {
	if a > b || b != b {
		return a
	}
	return b
}
