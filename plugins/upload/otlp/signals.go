package otlp

import (
	"slices"

	"github.com/connect-testengine/connect-testengine/plugins/upload/decode"
)

// Signal is a kind of OTLP request that brings no spans. Nothing of it is an
// execution: its records are counted, so that the answer can say how many were
// rejected.
type Signal struct {
	// Name is the last part of its path.
	Name string
	// Variable is what OTEL_…_EXPORTER calls it.
	Variable string
	// Rejected is the answer's field for how many records were rejected, in JSON.
	Rejected string

	path []level
}

// level is one step from the request to its records: in protobuf the numbers of
// fields, in JSON their names, with an array below or a single object.
type level struct {
	numbers []int
	names   []string
	single  bool
}

// Logs and Metrics are the signals beside the traces.
var (
	Logs = Signal{Name: "logs", Variable: "LOGS", Rejected: "rejectedLogRecords", path: []level{
		{numbers: []int{1}, names: []string{"resourceLogs"}},
		{numbers: []int{2}, names: []string{"scopeLogs"}},
		{numbers: []int{2}, names: []string{"logRecords"}},
	}}
	Metrics = Signal{Name: "metrics", Variable: "METRICS", Rejected: "rejectedDataPoints", path: []level{
		{numbers: []int{1}, names: []string{"resourceMetrics"}},
		{numbers: []int{2}, names: []string{"scopeMetrics"}},
		{numbers: []int{2}, names: []string{"metrics"}},
		{
			numbers: []int{5, 7, 9, 10, 11}, single: true,
			names: []string{"gauge", "sum", "histogram", "exponentialHistogram", "summary"},
		},
		{numbers: []int{1}, names: []string{"dataPoints"}},
	}}
)

// Count is how many records a request of the signal brings. The error is an
// *assemble.SyntaxError.
func (s Signal) Count(encoding Encoding, body []byte, maxDepth int) (int, error) {
	if encoding == JSON {
		w := decode.NewWalker(body, maxDepth)
		start, found := w.Here(), w.Kind() == '{'
		count := countJSON(w, s.path)
		if !found {
			w.Fail(start, "an object with "+s.path[0].names[0]+" is expected")
		}
		return count, w.End()
	}
	p := protoReader{b: body}
	count := p.count(0, len(body), s.path)
	return count, p.err
}

// count counts the fields at the end of the path in a message.
func (p *protoReader) count(i, end int, path []level) (count int) {
	for f, i, ok := p.next(i, end); ok; f, i, ok = p.next(i, end) {
		switch {
		case f.wire != wireBytes || !slices.Contains(path[0].numbers, f.number):
		case len(path) == 1:
			count++
		default:
			count += p.count(f.from, f.to, path[1:])
		}
	}
	return count
}

// countJSON counts the elements at the end of the path in an object.
func countJSON(w *decode.Walker, path []level) (count int) {
	for key := range w.Members() {
		switch {
		case !slices.Contains(path[0].names, key):
		case path[0].single:
			count += countJSON(w, path[1:])
		default:
			for range w.Elements() {
				if len(path) == 1 {
					count++
					continue
				}
				count += countJSON(w, path[1:])
			}
		}
	}
	return count
}
