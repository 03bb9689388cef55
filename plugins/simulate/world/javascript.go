package world

import "strconv"

// epochJS is the clock of the invented agents: collectors' clocks say nothing.
const epochJS = 1_767_571_200_000

func nameJS(t *test, file int, d *dice) {
	noun, aspect, number := fileWords(file)
	t.file = "src/" + noun + "/__tests__/" + aspect + number + ".test.js"
	t.scope = title(noun) + " " + aspect + number
	t.name = pick(d, verbs) + " the " + pick(d, nouns) + " " + pick(d, conditions)
}

// executionJS writes an execution as the Jest reporter does: a failure has no
// backtrace, its stack stands among the expanded lines.
func executionJS(dst []byte, j *job, t *test, o *outcome, clock float64) []byte {
	dst = append(dst, `{"id":"`...)
	dst = appendUUID(dst, j.dice)
	dst = append(dst, '"')
	dst = append(dst, t.head...)
	switch o.cause {
	case passed:
		dst = append(dst, `,"result":"passed","failure_expanded":[{"expanded":[]}]`...)
	case notRun:
		dst = append(dst, `,"result":"pending","failure_expanded":[{"expanded":[]}]`...)
	default:
		dst = append(dst, `,"result":"failed","failure_reason":`...)
		dst = appendString(dst, "Error: "+o.reason)
		dst = append(dst, `,"failure_expanded":[{"expanded":["",`...)
		dst = appendString(dst, "    at Object.<anonymous> (/ci/job/"+t.file+":"+strconv.Itoa(t.line+3)+":14)")
		dst = append(dst, `,"    at Promise.then.completed (/ci/job/node_modules/jest-circus/build/utils.js:298:28)",`+
			`"    at callAsyncCircusFn (/ci/job/node_modules/jest-circus/build/utils.js:231:10)",`+
			`"    at _callCircusTest (/ci/job/node_modules/jest-circus/build/run.js:316:40)"]}]`...)
	}
	start := epochJS + j.at
	dst = append(dst, `,"history":{"section":"top","start_at":`...)
	dst = strconv.AppendInt(dst, start, 10)
	dst = append(dst, `,"end_at":`...)
	dst = strconv.AppendInt(dst, start+int64(clock*10), 10)
	dst = append(dst, `,"duration":`...)
	dst = appendSeconds(dst, o.duration)
	return append(dst, "}}"...)
}
