package events

import (
	"bytes"
	"errors"
	"fmt"
	"math"
)

// ErrNoObject is returned by Next for a value that is no object; the scanner
// stands behind it.
var ErrNoObject = errors.New("an event is a JSON object")

// ErrSyntax is wrapped by Next when the rest of the message cannot be read.
var ErrSyntax = errors.New("the JSON does not parse")

// A Scanner walks over the events of a message: one object, an array of them, or
// one after the other (NDJSON), in any mixture. It reads the fields' values in
// place. What nobody asked for is skipped by its shape: brackets and quotes.
type Scanner struct {
	// Values are the values of the event, by place; valid until the next one.
	Values []Value

	fields  *Fields
	data    []byte
	at      int
	inArray bool
	comma   bool // inside the array, before the next element
	scratch []byte
}

// NewScanner reads those fields.
func NewScanner(fields *Fields) *Scanner {
	return &Scanner{fields: fields, Values: make([]Value, len(fields.names))}
}

// Reset begins with the first event of a message.
func (s *Scanner) Reset(data []byte) {
	s.data, s.at, s.inArray, s.comma = data, 0, false, false
}

// Next reads an event and returns its bytes, or nil at the end. After ErrSyntax
// there is no next one; Rest says what was not read.
func (s *Scanner) Next() (raw []byte, err error) {
	clear(s.Values)
	s.scratch = s.scratch[:0]
	more, err := s.toValue()
	if err != nil || !more {
		return nil, err
	}
	start := s.at
	if s.data[s.at] != '{' {
		if _, err := s.value(); err != nil {
			s.at = start
			return nil, err
		}
		return s.data[start:s.at], ErrNoObject
	}
	if err := s.object(&s.fields.root); err != nil {
		failed := s.at
		s.at = start
		return nil, fmt.Errorf("at byte %d: %w", failed, err)
	}
	return s.data[start:s.at], nil
}

// Rest is what was not read, from the event that does not parse on.
func (s *Scanner) Rest() []byte { return s.data[s.at:] }

// toValue goes to the first byte of the next value.
func (s *Scanner) toValue() (more bool, err error) {
	for {
		s.space()
		if s.at == len(s.data) {
			if s.inArray {
				return false, fmt.Errorf("at byte %d: %w", s.at, ErrSyntax)
			}
			return false, nil
		}
		c := s.data[s.at]
		switch {
		case !s.inArray && c == '[':
			s.inArray, s.comma = true, false
			s.at++
		case s.inArray && c == ']':
			s.inArray = false
			s.at++
		case s.inArray && s.comma:
			if c != ',' {
				return false, fmt.Errorf("at byte %d: %w", s.at, ErrSyntax)
			}
			s.at++
			s.comma = false
			s.space()
			if s.at == len(s.data) || s.data[s.at] == ']' {
				return false, fmt.Errorf("at byte %d: %w", s.at, ErrSyntax)
			}
		default:
			s.comma = true
			return true, nil
		}
	}
}

func (s *Scanner) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\n', '\r', '\t':
			s.at++
		default:
			return
		}
	}
}

// object reads an object from its brace on.
func (s *Scanner) object(n *node) error {
	s.at++
	for first := true; ; first = false {
		s.space()
		if s.at == len(s.data) {
			return ErrSyntax
		}
		c := s.data[s.at]
		if c == '}' {
			s.at++
			return nil
		}
		if !first {
			if c != ',' {
				return ErrSyntax
			}
			s.at++
			s.space()
		}
		name, err := s.text()
		if err != nil {
			return err
		}
		s.space()
		if s.at == len(s.data) || s.data[s.at] != ':' {
			return ErrSyntax
		}
		s.at++
		s.space()
		if err := s.member(n, name); err != nil {
			return err
		}
	}
}

func (s *Scanner) member(n *node, name string) error {
	for i := range n.children {
		c := &n.children[i]
		if c.name != name {
			continue
		}
		if c.node != nil && s.at < len(s.data) && s.data[s.at] == '{' {
			if c.field >= 0 {
				s.Values[c.field] = Value{Kind: Nested}
			}
			return s.object(c.node)
		}
		v, err := s.value()
		if err == nil && c.field >= 0 {
			s.Values[c.field] = v
		}
		return err
	}
	return s.skip()
}

// value reads any value.
func (s *Scanner) value() (Value, error) {
	if s.at == len(s.data) {
		return Value{}, ErrSyntax
	}
	switch c := s.data[s.at]; {
	case c == '"':
		text, err := s.text()
		return Value{Kind: Text, Text: text}, err
	case c >= '0' && c <= '9', c == '-' && !bytes.HasPrefix(s.data[s.at:], []byte("-I")):
		return s.number()
	case c == '{' || c == '[':
		return Value{Kind: Nested}, s.skip()
	}
	for _, word := range words {
		if bytes.HasPrefix(s.data[s.at:], word.text) {
			s.at += len(word.text)
			return word.value, nil
		}
	}
	return Value{}, ErrSyntax
}

var words = []struct {
	text  []byte
	value Value
}{
	{[]byte("null"), Value{Kind: Null}},
	{[]byte("true"), Value{Kind: Bool, Text: "true", Number: 1}},
	{[]byte("false"), Value{Kind: Bool, Text: "false"}},
	// No JSON, but what some encoders write; it can be refused by name then.
	{[]byte("NaN"), Value{Kind: Number, Text: "NaN", Number: math.NaN()}},
	{[]byte("Infinity"), Value{Kind: Number, Text: "Infinity", Number: math.Inf(1)}},
	{[]byte("-Infinity"), Value{Kind: Number, Text: "-Infinity", Number: math.Inf(-1)}},
}

// skip passes a value by.
func (s *Scanner) skip() error {
	depth := 0
	for s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case '"':
			if err := s.skipText(); err != nil {
				return err
			}
		case '{', '[':
			depth++
			s.at++
			continue
		case '}', ']':
			if depth == 0 {
				return ErrSyntax
			}
			depth--
			s.at++
		case ' ', '\n', '\r', '\t', ',', ':':
			if depth == 0 {
				return ErrSyntax
			}
			s.at++
			continue
		default:
			s.skipWord()
		}
		if depth == 0 {
			return nil
		}
	}
	return ErrSyntax
}

func (s *Scanner) skipWord() {
	for ; s.at < len(s.data); s.at++ {
		switch s.data[s.at] {
		case '}', ']', ',', ':', '"', '{', '[', ' ', '\n', '\r', '\t':
			return
		}
	}
}

func (s *Scanner) skipText() error {
	for s.at++; ; s.at += 2 {
		s.at = textEnd(s.data, min(s.at, len(s.data)))
		switch {
		case s.at == len(s.data):
			return ErrSyntax
		case s.data[s.at] == '"':
			s.at++
			return nil
		}
	}
}
