package decode

// checker is the door's look at a body.
type checker struct{ scanner }

func (c *checker) body() int {
	i := c.space(0)
	switch c.at(i) {
	case '[':
		return c.end(c.skip(i, 0))
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
		i = c.space(i)
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
		if i = c.skip(value, 1); i < 0 {
			return -1
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
