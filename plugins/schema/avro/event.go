package avro

import "github.com/connect-testengine/connect-testengine/plugins/testengine"

func appendRun(to []byte, r *testengine.Run) []byte {
	to = appendText(to, r.ID)
	to = appendText(to, r.RunID)
	to = appendText(to, string(r.Event))
	for _, text := range [...]string{r.Org, r.Suite, r.RunKey, r.Branch, r.CommitSHA, r.URL, r.Number} {
		to = appendText(to, text)
	}
	to = appendInt(to, r.Generation)
	to = appendLong(to, r.Time)
	to = appendLong(to, r.FirstUploadAt)
	to = appendLong(to, r.LastUploadAt)
	for _, count := range [...]int{r.Uploads, r.Executions, r.Passed, r.Failed, r.Skipped, r.Unknown} {
		to = appendInt(to, count)
	}
	return appendText(to, r.Storm)
}

func readRun(data []byte) (*testengine.Run, error) {
	in := copying(data)
	r := &testengine.Run{ID: in.str(), RunID: in.str(), Event: testengine.RunEvent(in.str())}
	for _, text := range [...]*string{&r.Org, &r.Suite, &r.RunKey, &r.Branch, &r.CommitSHA, &r.URL, &r.Number} {
		*text = in.str()
	}
	r.Generation = in.int()
	r.Time = in.long()
	r.FirstUploadAt = in.long()
	r.LastUploadAt = in.long()
	for _, count := range [...]*int{&r.Uploads, &r.Executions, &r.Passed, &r.Failed, &r.Skipped, &r.Unknown} {
		*count = in.int()
	}
	r.Storm = in.str()
	return r, in.end()
}

func appendVerdict(to []byte, v *testengine.Verdict) []byte {
	to = appendText(to, v.ID)
	to = appendLong(to, int64(v.Time))
	to = appendText(to, string(v.Type))
	for _, text := range [...]string{v.Org, v.Suite, v.TestID, v.Scope, v.Name, v.Location, v.File, v.Variant, v.Owner, v.Rule.ID} {
		to = appendText(to, text)
	}
	to = appendInt(to, v.Rule.Version)
	to = appendDouble(to, v.Probability)
	to = appendTexts(to, v.Signatures)
	to = appendLong(to, int64(v.FirstFailure))
	to = appendLong(to, int64(v.LastFailure))
	to = appendInt(to, v.Episode)
	e := &v.Evidence
	for _, texts := range [...][]string{e.FailureReasons, e.Commits, e.Executions, e.Runs, e.Branches} {
		to = appendTexts(to, texts)
	}
	to = appendMap(to, e.Numbers, appendDouble)
	return appendText(to, e.Note)
}

// readVerdict reads empty lists as empty, not as nil, where their JSON is [].
func readVerdict(data []byte) (*testengine.Verdict, error) {
	in := copying(data)
	v := &testengine.Verdict{ID: in.str(), Time: testengine.Time(in.long()), Type: testengine.VerdictType(in.str())}
	for _, text := range [...]*string{&v.Org, &v.Suite, &v.TestID, &v.Scope, &v.Name, &v.Location, &v.File, &v.Variant, &v.Owner, &v.Rule.ID} {
		*text = in.str()
	}
	v.Rule.Version = in.int()
	v.Probability = in.double()
	v.Signatures = in.texts([]string{})
	v.FirstFailure = testengine.Time(in.long())
	v.LastFailure = testengine.Time(in.long())
	v.Episode = in.int()
	e := &v.Evidence
	e.FailureReasons = in.texts([]string{})
	e.Commits = in.texts([]string{})
	e.Executions = in.texts([]string{})
	e.Runs = in.texts(nil)
	e.Branches = in.texts(nil)
	e.Numbers = readMap(&in, 9, (*reader).double)
	e.Note = in.str()
	return v, in.end()
}

// readMap reads a map whose items have at least size bytes; an empty one is nil.
func readMap[V any](r *reader, size int, item func(*reader) V) (values map[string]V) {
	for n := r.items(size); n > 0; n = r.items(size) {
		if values == nil {
			values = make(map[string]V, n)
		}
		for range n {
			key := r.str()
			values[key] = item(r)
		}
	}
	return values
}
