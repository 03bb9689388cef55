// Package history reads recorded uploads, one a line, without decoding their
// bodies: {"received_at": RFC 3339, "suite": …, "body": {the collector's
// upload}}. org is optional, other keys are passed over.
package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Line is one recorded upload. Body is a part of the line it was read from.
type Line struct {
	// ReceivedAt is in unix milliseconds.
	ReceivedAt int64
	Org        string
	Suite      string
	Body       []byte
}

// Problem says which field of a line is unusable, and why.
type Problem struct {
	Field  string
	Reason string
}

// Error says it in words.
func (p *Problem) Error() string {
	if p.Field == "" {
		return p.Reason
	}
	return "field " + p.Field + ": " + p.Reason
}

// Parse reads a line. Its error is a *Problem.
func Parse(raw []byte) (line Line, err error) {
	s := scanner{raw: raw}
	if !s.next('{') {
		return line, s.problem("", "the line is not a JSON object")
	}
	for first := true; !s.next('}'); first = false {
		if !first && !s.next(',') {
			return line, s.problem("", "a comma or the end of the object is missing")
		}
		key, ok := s.value()
		if !ok || key[0] != '"' || !s.next(':') {
			return line, s.problem("", "a key is missing")
		}
		value, ok := s.value()
		if !ok {
			return line, s.problem(unquote(key), "the value is broken or cut off")
		}
		if err := line.set(unquote(key), value); err != nil {
			return line, err
		}
	}
	s.space()
	if s.at != len(raw) {
		return line, s.problem("", "something follows the object")
	}
	return line, line.check()
}

func (l *Line) set(key string, value []byte) error {
	switch key {
	case "received_at":
		at, err := time.Parse(time.RFC3339, text(value))
		if err != nil {
			return &Problem{key, fmt.Sprintf("%.60s is no RFC 3339 time such as 2026-11-23T09:15:00Z", value)}
		}
		l.ReceivedAt = at.UnixMilli()
		if l.ReceivedAt <= 0 {
			return &Problem{key, "is before 1970"}
		}
	case "suite":
		l.Suite = text(value)
	case "org":
		l.Org = text(value)
	case "body":
		if value[0] != '{' && value[0] != '[' {
			return &Problem{key, "must be the collector's upload, a JSON object"}
		}
		l.Body = value
	}
	return nil
}

func (l *Line) check() error {
	switch {
	case l.ReceivedAt == 0:
		return &Problem{"received_at", "is missing"}
	case l.Suite == "":
		return &Problem{"suite", "is missing or no text"}
	case l.Body == nil:
		return &Problem{"body", "is missing"}
	}
	return nil
}

// text returns a JSON string's text, "" for other values.
func text(value []byte) string {
	if value[0] != '"' {
		return ""
	}
	return unquote(value)
}

func unquote(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return ""
	}
	return s
}

// scanner finds where values end. It checks brackets and quotes only: the
// decoder reads a body properly later.
type scanner struct {
	raw []byte
	at  int
}

func (s *scanner) problem(field, reason string) error {
	return &Problem{field, fmt.Sprintf("%s (at byte %d)", reason, s.at)}
}

func (s *scanner) space() {
	for s.at < len(s.raw) {
		switch s.raw[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// next passes over that character if it is the next one.
func (s *scanner) next(c byte) bool {
	s.space()
	if s.at < len(s.raw) && s.raw[s.at] == c {
		s.at++
		return true
	}
	return false
}

// value returns the raw JSON value that comes next.
func (s *scanner) value() ([]byte, bool) {
	s.space()
	from := s.at
	if from == len(s.raw) {
		return nil, false
	}
	var ok bool
	switch s.raw[from] {
	case '"':
		ok = s.text()
	case '{', '[':
		ok = s.nested()
	default:
		end := bytes.IndexAny(s.raw[from:], ",}] \t\r\n")
		ok = end > 0
		s.at += max(end, 0)
	}
	return s.raw[from:s.at], ok
}

// text passes over a string.
func (s *scanner) text() bool {
	raw := s.raw
	for i := s.at + 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			s.at = i + 1
			return true
		}
	}
	return false
}

// nested passes over an object or an array.
func (s *scanner) nested() bool {
	raw, depth := s.raw, 0
	for i := s.at; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			for i++; i < len(raw) && raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				s.at = i + 1
				return true
			}
		}
	}
	return false
}
