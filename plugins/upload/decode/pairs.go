package decode

import "github.com/connect-testengine/connect-testengine/plugins/testengine"

// runEnv reads the facts of the run.
func (r *reader) runEnv(i int) int {
	if r.at(i) == 'n' {
		return r.literal(i, "null")
	}
	if r.at(i) != '{' {
		return r.fail(i, "run_env must be an object")
	}
	i, more := r.open(i, '}')
	for more {
		var key, value string
		if key, value, i = r.pair(i, 2, -1, "run_env"); i < 0 {
			return -1
		}
		if value != dropped {
			r.builder.Env(key, value)
		}
		i, more = r.comma(i, '}')
	}
	return i
}

// uploadTags reads the tags of the upload.
func (r *reader) uploadTags(i int) int {
	if r.at(i) != '{' {
		return r.noTags(i, 1, -1)
	}
	i, more := r.open(i, '}')
	for more {
		var key, value string
		if key, value, i = r.pair(i, 2, -1, "tags"); i < 0 {
			return -1
		}
		if value != dropped {
			r.builder.UploadTag(key, value)
		}
		i, more = r.comma(i, '}')
	}
	return i
}

// executionTags reads the tags of one execution.
func (r *reader) executionTags(i int, e *testengine.Execution) int {
	e.Tags = nil
	if r.at(i) != '{' {
		return r.noTags(i, r.depth, r.builder.Index())
	}
	if r.depth >= r.maxDepth {
		return r.fail(i, "it nests too deep")
	}
	i, more := r.open(i, '}')
	for more {
		var key, value string
		if key, value, i = r.pair(i, r.depth+1, r.builder.Index(), "tags"); i < 0 {
			return -1
		}
		if value != dropped {
			r.builder.Tag(e, key, value)
		}
		i, more = r.comma(i, '}')
	}
	return i
}

// noTags passes over tags that are no object: null is none, the rest a remark.
func (r *reader) noTags(i, depth, index int) int {
	end := r.skip(i, depth)
	if end >= 0 && r.at(i) != 'n' {
		r.builder.Remark(index, "tags", "not an object: they were dropped", view(r.b[i:end]))
	}
	return end
}

// dropped is the value of a pair that is not to be kept. No text of a body can be
// equal: it is no UTF-8.
const dropped = "\xff"

// pair reads a key with a text. Numbers and booleans are kept as they are
// written, null is none, objects and arrays are dropped with a remark.
func (r *reader) pair(i, depth, index int, field string) (key, value string, next int) {
	key, at := r.key(i)
	if at < 0 {
		return "", "", -1
	}
	switch r.at(at) {
	case '"':
		end, escaped := r.stringEnd(at + 1)
		if end < 0 {
			return "", "", -1
		}
		return key, r.content(at+1, end, escaped), end + 1
	case 'n':
		return key, dropped, r.literal(at, "null")
	}
	end := r.skip(at, depth)
	if end < 0 {
		return "", "", -1
	}
	if c := r.at(at); c == '{' || c == '[' {
		r.builder.Remark(index, field, "the value is not a text: it was dropped", key)
		return key, dropped, end
	}
	return key, view(r.b[at:end]), end
}
