package world

import "strconv"

func namePython(t *test, file int, d *dice) {
	noun, aspect, number := fileWords(file)
	t.file = "tests/" + noun + "/test_" + aspect + number + ".py"
	t.scope = t.file + "::Test" + title(aspect)
	t.name = "test_" + snake(pick(d, verbs), pick(d, nouns), pick(d, conditions))
	if d.chance(0.3) {
		t.name += "[" + pick(d, parameters) + "]"
	}
}

// executionPython writes an execution as the pytest plugin does, json.dumps and all.
func executionPython(dst []byte, j *job, t *test, o *outcome, clock float64) []byte {
	dst = append(dst, `{"id": "`...)
	dst = appendUUID(dst, j.dice)
	dst = append(dst, '"')
	dst = append(dst, t.head...)
	dst = append(dst, `, "history": {"section": "top", "children": [], "start_at": `...)
	dst = appendSeconds(dst, clock)
	dst = append(dst, `, "end_at": `...)
	dst = appendSeconds(dst, clock+o.duration)
	dst = append(dst, `, "duration": `...)
	dst = appendSeconds(dst, o.duration)
	switch o.cause {
	case passed:
		return append(dst, `}, "result": "passed"}`...)
	case notRun:
		return append(dst, `}, "result": "skipped"}`...)
	default: // It failed, for whatever cause.
	}
	dst = append(dst, `}, "result": "failed", "failure_reason": `...)
	dst = appendString(dst, "AssertionError: "+o.reason)
	dst = append(dst, `, "failure_expanded": [{"expanded": ["    def `...)
	dst = append(dst, t.name...)
	dst = append(dst, `(self):", `...)
	dst = appendString(dst, "E       AssertionError: "+o.reason)
	dst = append(dst, `], "backtrace": [`...)
	dst = appendString(dst, t.file+":"+strconv.Itoa(t.line+4)+": AssertionError")
	return append(dst, `]}]}`...)
}
