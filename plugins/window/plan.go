package window

import (
	"errors"
	"fmt"
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/window/events"
	"github.com/connect-testengine/connect-testengine/plugins/window/panes"
)

// plan says which fields of an event are what.
type plan struct {
	blocks   bool
	fields   *events.Fields
	by       []int
	time     int // -1: the message's own time, or the execution's
	unit     events.Unit
	where    []condition
	measures []measure
	mapping  string // as configured, for the name of the logic
}

// measure is where an aggregate gets its input from.
type measure struct {
	field    int // -1 for none
	numeric  bool
	distinct bool
	where    []condition
}

// condition holds when the field's text is one of the words, or none of them.
type condition struct {
	field int
	words []string
	not   bool
}

func (c *condition) holds(values []events.Value) bool {
	return c.not != slices.ContainsFunc(c.words, values[c.field].Equals)
}

func hold(all []condition, values []events.Value) bool {
	for i := range all {
		if !all[i].holds(values) {
			return false
		}
	}
	return true
}

// logic names what the plan reads.
func (p *plan) logic() string {
	all := fmt.Sprintf("%t %q %v %d %s %+v %+v %q", p.blocks, p.fields.Names(), p.by, p.time, p.unit, p.where, p.measures, p.mapping)
	return testengine.FormatID(testengine.Hash(0, all))
}

// reader is what one message needs to be read; messages take turns with a few.
type reader struct {
	scanner *events.Scanner
	block   *events.Block
	key     []byte
	inputs  []panes.Input
}

func (p *plan) reader() *reader {
	r := &reader{inputs: make([]panes.Input, len(p.measures))}
	if p.blocks {
		r.block = events.NewBlock(p.fields)
	} else {
		r.scanner = events.NewScanner(p.fields)
	}
	return r
}

var (
	errNotFinite = errors.New("it is no finite number")
	errNoTime    = errors.New("the message has none: name the field `time`, or give metadata log_time or received_at")
)

// event fills the reader's key and inputs; taken is false for an event that the
// conditions leave out. The error names the field.
func (p *plan) event(r *reader, values []events.Value) (taken bool, err error) {
	if !hold(p.where, values) {
		return false, nil
	}
	r.key = r.key[:0]
	for _, field := range p.by {
		if r.key, err = panes.AppendKeyPart(r.key, &values[field]); err != nil {
			return false, badField(p.fields.Names()[field], err)
		}
	}
	for i := range p.measures {
		m := &p.measures[i]
		r.inputs[i] = panes.Input{}
		if len(m.where) > 0 && !hold(m.where, values) {
			continue
		}
		if m.field < 0 {
			r.inputs[i].Present = true
			continue
		}
		v := &values[m.field]
		switch {
		case v.Absent():
			continue
		case m.numeric && v.Kind != events.Number:
			return false, badField(p.fields.Names()[m.field], fmt.Errorf("it is %s and no number", v.Kind))
		case m.numeric && !v.Finite():
			return false, badField(p.fields.Names()[m.field], errNotFinite)
		case m.numeric:
			r.inputs[i] = panes.Input{Number: v.Number, Present: true}
		case m.distinct:
			r.inputs[i] = panes.Input{Hash: testengine.HashUint(v.Hash(), uint64(v.Kind)), Present: true}
		default:
			r.inputs[i].Present = true
		}
	}
	return true, nil
}
