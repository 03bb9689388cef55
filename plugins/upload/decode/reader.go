package decode

import (
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

// A reader walks a body and hands what it finds to the builder.
type reader struct {
	scanner
	arena
	builder *assemble.Builder
	// extra collects unknown members of the object that is being read.
	extra []byte
	// keys remember the members of the execution before.
	keys [16]place
	// depth is that of a record's object.
	depth int
	// factsOnly passes over what detection does not read.
	factsOnly bool
	// The record that is being read is rejected when reject is set.
	reject, rejectReason string
	rejectFrom, rejectTo int
}

func (r *reader) body() int {
	i := r.space(0)
	switch r.at(i) {
	case '[':
		r.builder.EnvKnown()
		r.depth = 2
		return r.end(r.data(i))
	case '{':
	default:
		return r.fail(i, "an object or an array is expected")
	}
	kind, looked := r.shapeOf(i)
	if looked < 0 {
		return -1
	}
	if kind == shapeUpload {
		r.depth = 3
		return r.end(r.upload(i))
	}
	r.builder.EnvKnown()
	r.depth = 1
	return r.lines(i)
}

// lines reads executions one after another, each an object. A broken line ends
// with the line, not with the upload.
func (r *reader) lines(i int) int {
	for i < len(r.b) {
		next := r.record(i)
		if next < 0 {
			start := i
			for i < len(r.b) && r.b[i] != '\n' {
				i++
			}
			r.builder.Reject("record", "no JSON object", view(r.b[start:i]))
			r.err = nil
			next = i
		}
		i = r.space(next)
	}
	return i
}

// upload reads the envelope. Of a key that comes twice the first one counts.
func (r *reader) upload(start int) int {
	seen := 0
	r.extra = r.extra[:0]
	i, more := r.open(start, '}')
	for more {
		from := i
		key, value := r.key(i)
		if value < 0 {
			return -1
		}
		bit := envelopeKey(key)
		switch {
		case bit != 0 && seen&bit != 0:
			r.builder.Envelope(key, "given twice: the first one counts", "")
			i = r.skip(value, 1)
		case bit != 0:
			i = r.member(bit, value)
		default:
			r.unmark()
			if i = r.skip(value, 1); i >= 0 {
				r.keepUnknown(from, value, i)
			}
		}
		seen |= bit
		if i < 0 {
			return -1
		}
		if i, more = r.comma(i, '}'); i < 0 {
			return -1
		}
	}
	if seen&keyData == 0 {
		return r.fail(start, "the upload has no data")
	}
	r.builder.SetExtra(r.unknown())
	return i
}

const (
	keyFormat = 1 << iota
	keyRunEnv
	keyTags
	keyData
)

func envelopeKey(key string) int {
	switch key {
	case "format":
		return keyFormat
	case "run_env":
		return keyRunEnv
	case "tags":
		return keyTags
	case "data":
		return keyData
	}
	return 0
}

func (r *reader) member(key, value int) int {
	switch key {
	case keyFormat:
		if !r.formatKnown(value) {
			return r.fail(value, "format must be \"json\"")
		}
		return r.skip(value, 1)
	case keyRunEnv:
		i := r.runEnv(value)
		r.builder.EnvKnown()
		return i
	case keyTags:
		return r.uploadTags(value)
	}
	if r.at(value) == 'n' {
		return r.literal(value, "null")
	}
	// What data holds must not end up among the unknown keys of the upload.
	outer := r.extra
	r.extra = nil
	i := r.data(value)
	r.extra = outer
	return i
}

func (r *reader) data(i int) int {
	if r.at(i) != '[' {
		return r.fail(i, "data must be an array of executions")
	}
	i, more := r.open(i, ']')
	for more {
		if i = r.record(i); i < 0 {
			return -1
		}
		i, more = r.comma(i, ']')
	}
	return i
}

// record reads one element of data and accepts or rejects it.
func (r *reader) record(i int) int {
	e := r.builder.Begin(len(r.b) - i)
	r.reject, r.extra, r.high = "", r.extra[:0], false
	var next int
	if r.at(i) == '{' {
		next = r.execution(i, e)
	} else if next = r.skip(i, r.depth-1); next >= 0 {
		r.rejected("record", "not an object", i, next)
	}
	if next < 0 {
		return -1
	}
	if r.reject == "" && e.Name == "" {
		r.rejected("name", "missing", i, next)
	}
	if r.reject != "" {
		r.builder.Reject(r.reject, r.rejectReason, view(r.b[r.rejectFrom:r.rejectTo]))
		return next
	}
	if len(r.extra) > 0 {
		e.Detail().Extra = testengine.RawJSON(r.unknown())
	}
	r.builder.Accept()
	return next
}

func (r *reader) rejected(field, reason string, from, to int) {
	if r.reject == "" {
		r.reject, r.rejectReason, r.rejectFrom, r.rejectTo = field, reason, from, to
	}
}

// key returns the key at i and the index of its value.
func (r *reader) key(i int) (key string, value int) {
	if r.at(i) != '"' {
		return "", r.fail(i, "a key in quotes is expected")
	}
	end, escaped := r.stringEnd(i + 1)
	if end < 0 {
		return "", -1
	}
	return r.content(i+1, end, escaped), r.colon(end + 1)
}

// keepUnknown adds the member that stands at from, with its value from value to
// end, to the raw object of unknown keys.
func (r *reader) keepUnknown(from, value, end int) {
	if len(r.extra) == 0 {
		r.extra = append(r.extra, '{')
	} else {
		r.extra = append(r.extra, ',')
	}
	r.high = true
	r.extra = append(r.extra, valid(string(r.compactView(from, value)))...)
	r.extra = append(r.extra, r.raw(value, end)...)
}

// compactView is the key and its colon, without white space.
func (r *reader) compactView(from, value int) []byte {
	raw := r.b[from:value]
	if raw[len(raw)-1] == ':' && raw[len(raw)-2] == '"' {
		return raw
	}
	return []byte(r.compact(raw))
}

func (r *reader) unknown() string {
	if len(r.extra) == 0 {
		return ""
	}
	return string(append(r.extra, '}'))
}

// raw is the value from i to end as JSON without white space. The marks spaced
// and high must have been cleared before it was read.
func (r *reader) raw(i, end int) string {
	raw := view(r.b[i:end])
	if r.spaced {
		raw = r.compact(r.b[i:end])
	}
	if r.high {
		raw = valid(raw)
	}
	return raw
}

// content is the text of the string between i and end.
func (r *reader) content(i, end int, escaped bool) string {
	text := view(r.b[i:end])
	if escaped {
		text = r.unescape(r.b[i:end])
	}
	if r.high {
		text = valid(text)
	}
	return text
}

// unmark clears the marks before a value that is to be kept raw.
func (r *reader) unmark() { r.spaced, r.high = false, false }
