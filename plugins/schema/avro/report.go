package avro

import (
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func appendReport(to []byte, r *testengine.UploadReport) []byte {
	to = appendPosition(to, r.Position)
	for _, text := range [...]string{r.UploadID, r.Org, r.Suite, r.RunID, r.RunKey, r.Format, r.Collector, r.Branch, r.CommitSHA} {
		to = appendText(to, text)
	}
	to = appendLong(to, r.ReceivedAt)
	to = appendLong(to, r.Time)
	for _, count := range [...]int{r.Bytes, r.Received, r.Accepted, r.Rejected} {
		to = appendInt(to, count)
	}
	to = appendBool(to, r.Duplicate)
	to = appendInt(to, r.WithoutResult)
	to = appendInt(to, r.SuiteErrors)
	to = appendCount(to, len(r.Problems))
	for i := range r.Problems {
		p := &r.Problems[i]
		to = appendInt(to, p.Index)
		to = appendText(to, p.Field)
		to = appendText(to, p.Reason)
		to = appendText(to, p.Snippet)
	}
	to = appendEnd(to, len(r.Problems))
	to = appendMap(to, r.ProblemCounts, appendInt)
	return appendChunk(to, r.Chunk)
}

func readReport(data []byte) (*testengine.UploadReport, error) {
	in := copying(data)
	r := &testengine.UploadReport{Position: in.position()}
	for _, text := range [...]*string{&r.UploadID, &r.Org, &r.Suite, &r.RunID, &r.RunKey, &r.Format, &r.Collector, &r.Branch, &r.CommitSHA} {
		*text = in.str()
	}
	r.ReceivedAt = in.long()
	r.Time = in.long()
	for _, count := range [...]*int{&r.Bytes, &r.Received, &r.Accepted, &r.Rejected} {
		*count = in.int()
	}
	r.Duplicate = in.bool()
	r.WithoutResult = in.int()
	r.SuiteErrors = in.int()
	for n := in.items(4); n > 0; n = in.items(4) {
		r.Problems = slices.Grow(r.Problems, n)
		for range n {
			r.Problems = append(r.Problems, testengine.Problem{Index: in.int(), Field: in.str(), Reason: in.str(), Snippet: in.str()})
		}
	}
	r.ProblemCounts = readMap(&in, 2, (*reader).int)
	r.Chunk = in.chunk()
	return r, in.end()
}
