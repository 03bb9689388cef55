package decode

// shape is what a body turns out to be.
type shape uint8

const (
	shapeUpload shape = iota
	shapeExecution
)

// shapeOf looks into the object that begins at i until a key tells what it is:
// format, run_env and data are keys of an upload alone, most others of an
// execution; tags may be either's. An object without any such key is an
// execution when it has a name, else an upload.
func (s *scanner) shapeOf(i int) (shape, int) {
	i, more := s.open(i, '}')
	for more {
		key, value := s.rawKey(i)
		if value < 0 {
			return shapeUpload, -1
		}
		switch string(key) {
		case "data", "run_env", "format":
			return shapeUpload, i
		case "name", "scope", "result", "history", "location", "file_name", "failure_reason", "failure_expanded", "id", "external_id":
			return shapeExecution, i
		}
		if i = s.skip(value, 1); i < 0 {
			return shapeUpload, -1
		}
		i, more = s.comma(i, '}')
	}
	return shapeUpload, i
}

// rawKey returns the key at i as it stands there, and the index of its value.
func (s *scanner) rawKey(i int) (key []byte, value int) {
	if s.at(i) != '"' {
		return nil, s.fail(i, "a key in quotes is expected")
	}
	end, _ := s.stringEnd(i + 1)
	if end < 0 {
		return nil, -1
	}
	return s.b[i+1 : end], s.colon(end + 1)
}
