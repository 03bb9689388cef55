// Package events reads events out of a message: JSON objects as they stand in its
// bytes, without building anything, and the executions of our blocks. Both give
// the values of the fields that were asked for, and nothing else is looked at.
package events

import (
	"math"
	"strconv"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Kind says what a value is.
type Kind uint8

// The kinds. Missing is the zero value: the event does not have the field.
const (
	Missing Kind = iota
	Null
	Bool
	Number
	Text
	// Nested is an object or an array.
	Nested
)

var kindNames = [...]string{"missing", "null", "a truth value", "a number", "text", "an object or array"}

// String names the kind in sentences.
func (k Kind) String() string { return kindNames[k] }

// Value is what an event has in a field. It is valid until the next event.
type Value struct {
	Kind Kind
	// Text is the text of a Text, and the token of a Number or Bool as it was
	// sent; it is empty for numbers that were never written.
	Text string
	// Number is that of a Number; an overflow is infinite. A Bool is 1 or 0.
	Number float64
}

// Absent says that there is nothing to aggregate.
func (v *Value) Absent() bool { return v.Kind <= Null }

// Finite says that the value is a number that can be aggregated.
func (v *Value) Finite() bool {
	return v.Kind == Number && !math.IsInf(v.Number, 0) && !math.IsNaN(v.Number)
}

// Hash names the value among others of its field.
func (v *Value) Hash() uint64 {
	if v.Kind == Number && v.Text == "" {
		return testengine.HashUint(uint64(v.Kind), math.Float64bits(v.Number))
	}
	return testengine.Hash(uint64(v.Kind), v.Text)
}

// AppendText writes the value as a condition compares it.
func (v *Value) AppendText(b []byte) []byte {
	switch {
	case v.Absent():
		return b
	case v.Kind == Number && v.Text == "":
		return strconv.AppendFloat(b, v.Number, 'g', -1, 64)
	}
	return append(b, v.Text...)
}

// Equals reports whether the value, as text, is that text.
func (v *Value) Equals(text string) bool {
	if v.Kind == Number && v.Text == "" {
		var room [32]byte
		return string(v.AppendText(room[:0])) == text
	}
	return v.Text == text && !v.Absent()
}

// textual is a Text value.
func textual(text string) Value {
	if text == "" {
		return Value{}
	}
	return Value{Kind: Text, Text: text}
}

func truth(set bool) Value {
	if set {
		return Value{Kind: Number, Number: 1}
	}
	return Value{Kind: Number}
}
