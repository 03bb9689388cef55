package world

import "strconv"

func nameRuby(t *test, file int, d *dice) {
	noun, aspect, number := fileWords(file)
	t.file = "./spec/" + aspect + "/" + noun + number + "_spec.rb"
	t.scope = title(noun) + "::" + title(aspect) + number + " #" + pick(d, verbs)
	t.name = pick(d, verbs) + " the " + pick(d, nouns) + " " + pick(d, conditions)
}

// executionRuby writes an execution as the RSpec collector does.
func executionRuby(dst []byte, j *job, t *test, o *outcome, clock float64) []byte {
	dst = append(dst, `{"external_id":"`...)
	dst = appendUUID(dst, j.dice)
	dst = append(dst, '"')
	dst = append(dst, t.head...)
	switch o.cause {
	case passed:
		dst = append(dst, `,"result":"passed","failure_expanded":[]`...)
	case notRun:
		dst = append(dst, `,"result":"skipped","failure_expanded":[]`...)
	default:
		dst = append(dst, `,"result":"failed","failure_reason":`...)
		dst = appendString(dst, "Failure/Error: "+o.reason)
		dst = append(dst, `,"failure_expanded":[{"expanded":[`...)
		dst = appendString(dst, "  "+o.reason)
		dst = append(dst, `,"","  (compared using ==)"],"backtrace":[`...)
		dst = appendString(dst, t.file+":"+strconv.Itoa(t.line+2)+":in 'block (2 levels) in <top (required)>'")
		dst = append(dst, ',')
		dst = appendString(dst, "./spec/spec_helper.rb:31:in 'block (2 levels) in <top (required)>'")
		dst = append(dst, `]}]`...)
	}
	dst = append(dst, `,"history":{"section":"top","start_at":`...)
	dst = appendSeconds(dst, clock)
	dst = append(dst, `,"end_at":`...)
	dst = appendSeconds(dst, clock+o.duration)
	dst = append(dst, `,"duration":`...)
	dst = appendSeconds(dst, o.duration)
	dst = append(dst, `,"detail":{},"children":[`...)
	if o.duration > 0.5 {
		dst = append(dst, `{"section":"sql","start_at":`...)
		dst = appendSeconds(dst, clock)
		dst = append(dst, `,"duration":`...)
		dst = appendSeconds(dst, o.duration/4)
		dst = append(dst, `,"detail":{"query":"SELECT * FROM \"rates\" WHERE id = $1"},"children":[]}`...)
	}
	return append(dst, `]},"tags":{}}`...)
}
