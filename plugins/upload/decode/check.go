package decode

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Seen is what the door's look at a body finds beside its structure.
type Seen struct {
	// RunKey is run_env.key, or "".
	RunKey string
	// Executions is how many elements data has; none of them has been judged.
	Executions int
	// Rejected is how many records decoding will reject, and Why of the last one;
	// only formats whose answer says so (OTLP) judge at the door.
	Rejected int
	Why      string
}

// checker is the door's look at a body.
type checker struct {
	scanner
	seen Seen
}

func (c *checker) body() int {
	i := c.space(0)
	switch c.at(i) {
	case '[':
		return c.end(c.elements(i, 0))
	case '{':
	default:
		return c.fail(i, "an object or an array is expected")
	}
	kind, looked := c.shapeOf(i)
	if looked < 0 {
		return -1
	}
	if kind == shapeUpload {
		return c.end(c.upload(i))
	}
	for i < len(c.b) {
		if c.at(i) != '{' {
			return c.fail(i, "an object is expected")
		}
		if i = c.skip(i, 0); i < 0 {
			return -1
		}
		c.seen.Executions++
		i = c.space(i)
	}
	return i
}

// elements passes over an array and counts its elements.
func (c *checker) elements(i, depth int) int {
	if depth+1 > c.maxDepth {
		return c.fail(i, "it nests too deep")
	}
	i, more := c.open(i, ']')
	for more {
		if i = c.skip(i, depth+1); i < 0 {
			return -1
		}
		c.seen.Executions++
		i, more = c.comma(i, ']')
	}
	return i
}

func (c *checker) upload(start int) int {
	data := false
	i, more := c.open(start, '}')
	for more {
		key, value := c.rawKey(i)
		if value < 0 {
			return -1
		}
		switch string(key) {
		case "data":
			data = true
			if at := c.at(value); at != '[' && at != 'n' {
				return c.fail(value, "data must be an array of executions")
			}
		case "format":
			if !c.formatKnown(value) {
				return c.fail(value, "format must be \"json\"")
			}
		case "run_env":
			if at := c.at(value); at != '{' && at != 'n' {
				return c.fail(value, "run_env must be an object")
			}
		}
		if i = c.value(string(key) == "data", value); i < 0 {
			return -1
		}
		if string(key) == "run_env" {
			c.runKey(value)
		}
		if i, more = c.comma(i, '}'); i < 0 {
			return -1
		}
	}
	if !data {
		return c.fail(start, "the upload has no data")
	}
	return i
}

// value passes over the value of a key of the upload.
func (c *checker) value(data bool, i int) int {
	if data && c.at(i) == '[' {
		c.seen.Executions = 0
		return c.elements(i, 1)
	}
	return c.skip(i, 1)
}

// runKey takes the key out of the run_env at i, which has been checked.
func (c *checker) runKey(i int) {
	if c.at(i) != '{' {
		return
	}
	i, more := c.open(i, '}')
	for more && c.seen.RunKey == "" {
		key, value := c.rawKey(i)
		end := c.skip(value, 2)
		if string(key) == "key" && c.at(value) != 'n' {
			c.seen.RunKey = text(c.b[value:end])
		}
		i, more = c.comma(end, '}')
	}
}

// text is a checked value as the decoder takes it: a string's content, else the JSON.
func text(raw []byte) string {
	if raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 {
		return strings.ToValidUTF8(string(raw[1:len(raw)-1]), "\uFFFD")
	}
	var content string
	if json.Unmarshal(raw, &content) != nil {
		return string(raw)
	}
	return content
}

// formatKnown looks at the value of format: null, "" and "json" are.
func (s *scanner) formatKnown(i int) bool {
	if s.at(i) != '"' {
		return true
	}
	end, _ := s.stringEnd(i + 1)
	if end < 0 {
		return true // skip will say what is wrong
	}
	format := s.b[i+1 : end]
	return len(format) == 0 || string(format) == Format
}

// end checks that nothing stands behind the value that ended at i.
func (s *scanner) end(i int) int {
	if i < 0 {
		return -1
	}
	if i = s.space(i); i < len(s.b) {
		return s.fail(i, "nothing may follow here")
	}
	return i
}
