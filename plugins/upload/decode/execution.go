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
	given := 0
	for n := 0; more; n++ {
		p := &r.keys[min(n, len(r.keys)-1)]
		same := alike(r.b, i, &p.text)
		if p.again(same) && given>>p.field&1 == 0 {
			p.proved = true
			if p.spaced {
				r.spaced = true
			}
			if p.field == fieldResult {
				e.Result = p.result
			}
			if i += int(p.member); p.last {
				return i
			}
			i = r.space(i)
			continue
		}
		from, value := i, i+int(p.key)
		if p.named(same) {
			if p.spaced {
				r.spaced = true
			}
			value = r.space(value)
		} else if value = r.executionKey(i, p); value < 0 {
			return -1
		}
		given |= 1 << p.field
		end, text := value+1, false // A text is another one each time: it is not learnt.
		if to := textOf(p.field, e); to == nil && p.field != fieldID || r.at(value) != '"' {
			end = r.field(p.field, from, value, e)
		} else if end = near(r.b, end); r.at(end) == '"' {
			if to != nil { // Else it is the id.
				*to = view(r.b[value+1 : end])
			}
			end, text = end+1, true
		} else {
			end = r.field(p.field, from, value, e)
		}
		if end < 0 {
			return -1
		}
		if end+1 < len(r.b) && r.b[end] == ',' && r.b[end+1] == '"' {
			i = end + 1
		} else if i, more = r.commaOrEnd(end, '}'); i < 0 {
			return -1
		}
		if !text && p.learns() && usual(p.field, r.b[value:end]) && p.learnMember(r.b, from, value, end, i) {
			p.result = e.Result
		}
	}
	return i
}

// executionKey passes over a key and its colon, and remembers it for the next execution.
func (r *reader) executionKey(i int, p *place) (value int) {
	key, value := r.key(i)
	if value >= 0 {
		p.learnKey(r.b[i:value], executionField(key))
	}
	return value
}

// usual reports whether a value leaves an execution as it began, but for its
// result, and may come again.
func usual(f field, value []byte) bool {
	switch f {
	case fieldUnknown:
		return false
	case fieldResult:
		if value[0] != '"' { // Of one digit nothing is between.
			return false
		}
		_, known := testengine.ParseResult(string(value[1 : len(value)-1]))
		return known
	case fieldFailureExpanded:
		return string(value) == "[]" || string(value) == "null"
	default:
		return string(value) == "null"
	}
}

// textOf is where the text of a field goes, or nil.
func textOf(key field, e *testengine.Execution) *string {
	switch key {
	case fieldScope:
		return &e.Scope
	case fieldName:
		return &e.Name
	case fieldLocation:
		return &e.Location
	case fieldFile:
		return &e.File
	default:
		return nil
	}
}

// field reads one member. The collectors' id is passed over: it names nothing
// (Playwright sends the same for every retry), and nothing is told apart by it.
func (r *reader) field(key field, from, value int, e *testengine.Execution) int {
	if r.factsOnly && !key.isFact() {
		return r.pass(value, r.depth)
	}
	switch key {
	case fieldID:
		return r.skip(value, r.depth)
	case fieldScope:
		return r.text(value, "scope", &e.Scope)
	case fieldName:
		return r.text(value, "name", &e.Name)
	case fieldLocation:
		return r.text(value, "location", &e.Location)
	case fieldFile:
		return r.text(value, "file_name", &e.File)
	case fieldResult:
		return r.result(value, e)
	case fieldFailureReason:
		return r.text(value, "failure_reason", &e.FailureReason)
	case fieldFailureExpanded:
		return r.keptRaw(value, &e.Detail().FailureExpanded)
	case fieldHistory:
		return r.history(value, e)
	case fieldTags:
		return r.executionTags(value, e)
	case fieldExternalID:
		return r.text(value, "external_id", &e.Detail().ExternalID)
	default:
	}
	r.unmark()
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
		if escaped || r.high {
			*to = r.content(i+1, end, escaped)
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
	if i+8 <= len(r.b) {
		switch string(r.b[i : i+8]) {
		case `"passed"`:
			e.Result = testengine.ResultPassed
			return i + 8
		case `"failed"`:
			e.Result = testengine.ResultFailed
			return i + 8
		}
	}
	var word string
	end := r.text(i, "result", &word)
	if end < 0 {
		return -1
	}
	result, known := testengine.ParseResult(word)
	if e.Result = result; !known {
		r.builder.Remark(r.builder.Index(), "result", "unknown word: kept as unknown", word)
	}
	return end
}

// keptRaw keeps a value as raw JSON; null and [] are nothing to keep.
func (r *reader) keptRaw(i int, to *testengine.RawJSON) int {
	r.unmark()
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
	r.unmark()
	e.HasDuration, e.Duration, e.Detail().History = false, 0, ""
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
	r.timed, r.duration = r.depth+1, span{}
	end := r.skip(i, r.depth)
	if end < 0 {
		return -1
	}
	if r.duration.to > 0 {
		r.seconds(r.duration, e)
	}
	e.Detail().History = testengine.RawJSON(r.raw(i, end))
	return end
}

// seconds takes the duration that stands there.
func (r *reader) seconds(at span, e *testengine.Execution) {
	raw := r.b[at.from:at.to]
	if c := raw[0]; c != '-' && c-'0' > 9 {
		if c != 'n' {
			r.builder.Remark(r.builder.Index(), "history.duration", "not a number: it was dropped", view(raw))
		}
		return
	}
	seconds, ok := parseNumber(r.b, at.from, at.to)
	if !ok || seconds < 0 {
		r.builder.Remark(r.builder.Index(), "history.duration", "out of range: it was dropped", view(raw))
		return
	}
	e.Duration, e.HasDuration = seconds, true
}
