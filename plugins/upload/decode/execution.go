package decode

import (
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// execution reads the object at i.
func (r *reader) execution(i int, e *testengine.Execution) int {
	if r.depth > r.maxDepth {
		return r.fail(i, "it nests too deep")
	}
	i, more := r.open(i, '}')
	for more {
		from := i
		key, value := r.key(i)
		if value < 0 {
			return -1
		}
		if i = r.field(key, from, value, e); i < 0 {
			return -1
		}
		i, more = r.comma(i, '}')
	}
	return i
}

// field reads one member. The collectors' id is passed over: it names nothing
// (Playwright sends the same for every retry), and nothing is told apart by it.
func (r *reader) field(key string, from, value int, e *testengine.Execution) int {
	switch key {
	case "id":
		return r.skip(value, r.depth)
	case "scope":
		return r.text(value, key, &e.Scope)
	case "name":
		return r.text(value, key, &e.Name)
	case "location":
		return r.text(value, key, &e.Location)
	case "file_name":
		return r.text(value, key, &e.File)
	case "result":
		return r.result(value, e)
	case "failure_reason":
		return r.text(value, key, &e.FailureReason)
	case "failure_expanded":
		return r.keptRaw(value, &e.FailureExpanded)
	case "history":
		return r.history(value, e)
	case "tags":
		return r.executionTags(value, e)
	case "external_id":
		return r.text(value, key, &e.ExternalID)
	}
	r.spaced = false
	end := r.skip(value, r.depth)
	if end >= 0 {
		r.keepUnknown(from, value, end)
	}
	return end
}

// text reads a string or null. Anything else rejects the record when it names
// the test, and is dropped with a remark when it does not.
func (r *reader) text(i int, field string, to *string) int {
	if r.at(i) == '"' {
		end, escaped := r.stringEnd(i + 1)
		if end < 0 {
			return -1
		}
		if escaped {
			*to = r.unescape(r.b[i+1 : end])
		} else {
			*to = view(r.b[i+1 : end])
		}
		return end + 1
	}
	*to = ""
	if r.at(i) == 'n' {
		return r.literal(i, "null")
	}
	end := r.skip(i, r.depth)
	if end < 0 {
		return -1
	}
	if field == "name" || field == "scope" {
		r.rejected(field, "not a string", i, end)
		return end
	}
	r.builder.Remark(r.builder.Index(), field, "not a string: it was dropped", view(r.b[i:end]))
	return end
}

// result reads the word, null, or what no collector is known to send.
func (r *reader) result(i int, e *testengine.Execution) int {
	var word string
	end := r.text(i, "result", &word)
	if end < 0 {
		return -1
	}
	known := false
	if e.Result, known = testengine.ParseResult(word); !known {
		r.builder.Remark(r.builder.Index(), "result", "unknown word: kept as unknown", word)
	}
	return end
}

// keptRaw keeps a value as raw JSON; null and [] are nothing to keep.
func (r *reader) keptRaw(i int, to *testengine.RawJSON) int {
	r.spaced = false
	end := r.skip(i, r.depth)
	if end < 0 {
		return -1
	}
	*to = ""
	if end-i == 2 || r.at(i) == 'n' {
		return end
	}
	*to = testengine.RawJSON(r.raw(i, end))
	return end
}

// history reads the duration of the top span; the object is kept raw.
func (r *reader) history(i int, e *testengine.Execution) int {
	r.spaced = false
	e.HasDuration, e.Duration, e.History = false, 0, ""
	if r.at(i) != '{' {
		end := r.skip(i, r.depth)
		if end >= 0 && r.at(i) != 'n' {
			r.builder.Remark(r.builder.Index(), "history", "not an object: it was dropped", view(r.b[i:end]))
		}
		return end
	}
	if r.depth >= r.maxDepth {
		return r.fail(i, "it nests too deep")
	}
	start := i
	i, more := r.open(i, '}')
	for more {
		key, value := r.key(i)
		if value < 0 {
			return -1
		}
		if i = r.skip(value, r.depth+1); i < 0 {
			return -1
		}
		if key == "duration" {
			r.duration(value, i, e)
		}
		if i, more = r.comma(i, '}'); i < 0 {
			return -1
		}
	}
	e.History = testengine.RawJSON(r.raw(start, i))
	return i
}

// duration takes the seconds that stand between i and end.
func (r *reader) duration(i, end int, e *testengine.Execution) {
	raw := r.b[i:end]
	if c := raw[0]; c != '-' && c-'0' > 9 {
		if c != 'n' {
			r.builder.Remark(r.builder.Index(), "history.duration", "not a number: it was dropped", view(raw))
		}
		return
	}
	seconds, ok := parseNumber(raw)
	if !ok || seconds < 0 {
		r.builder.Remark(r.builder.Index(), "history.duration", "out of range: it was dropped", view(raw))
		return
	}
	e.Duration, e.HasDuration = seconds, true
}
