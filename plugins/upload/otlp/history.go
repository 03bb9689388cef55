package otlp

import (
	"slices"
	"strconv"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

const (
	// maxChildren is how many spans the history of an execution keeps, the first
	// ones, and maxDetail how many bytes of a detail.
	maxChildren = 200
	maxDetail   = 4096
)

// history writes the spans below an execution, and its annotations, in the form
// that collectors send: seconds from the execution's start, in order of time.
func (f *feeder) history(s *span) testengine.RawJSON {
	var places []int
	for at := s.next; at != 0; at = f.spans[at-1].next {
		places = append(places, int(at-1))
	}
	slices.SortStableFunc(places, func(a, b int) int {
		if f.spans[a].start != f.spans[b].start {
			if f.spans[a].start < f.spans[b].start {
				return -1
			}
			return 1
		}
		return a - b
	})
	out := append([]byte(nil), `{"section":"top"`...)
	out = times(out, s.start, s.start, s.end)
	out = append(out, `,"detail":{},"children":[`...)
	count := 0
	for at := s.events.from; at < s.events.to && count < maxChildren; at++ {
		e := &f.events[at]
		if text := f.value(e.attributes, "buildkite.annotation"); e.name == "test.annotation" && text != "" {
			out = comma(out, count)
			out = append(out, `{"section":"annotation"`...)
			out = times(out, s.start, e.time, e.time)
			out = detail(append(out, `,"detail":{`...), "content", text, true)
			out = append(out, `},"children":[]}`...)
			count++
		}
	}
	for _, place := range places {
		if count == maxChildren {
			break
		}
		out = f.child(comma(out, count), s.start, &f.spans[place])
		count++
	}
	return testengine.RawJSON(append(out, `]}`...))
}

func comma(out []byte, count int) []byte {
	if count > 0 {
		return append(out, ',')
	}
	return out
}

func times(out []byte, origin, start, end uint64) []byte {
	out = append(out, `,"start_at":`...)
	out = strconv.AppendFloat(out, seconds(origin, start), 'f', -1, 64)
	out = append(out, `,"end_at":`...)
	out = strconv.AppendFloat(out, seconds(origin, end), 'f', -1, 64)
	out = append(out, `,"duration":`...)
	return strconv.AppendFloat(out, seconds(start, end), 'f', -1, 64)
}

// seconds from one moment to a later one; an earlier one is the same.
func seconds(from, to uint64) float64 {
	if to < from {
		return 0
	}
	return float64(to-from) / perSecond
}

// child writes one span: a query, a call, or whatever its name says.
func (f *feeder) child(out []byte, origin uint64, s *span) []byte {
	query := f.first(s.attributes, "db.query.text", "db.statement")
	url := f.first(s.attributes, "url.full", "http.url")
	section := "span"
	switch {
	case query != "":
		section = "sql"
	case url != "":
		section = "http"
	}
	out = append(out, `{"section":"`...)
	out = append(append(out, section...), '"')
	out = times(out, origin, s.start, s.end)
	out = append(out, `,"detail":{`...)
	switch section {
	case "sql":
		out = detail(out, "query", query, true)
	case "http":
		out = detail(out, "method", f.first(s.attributes, "http.request.method", "http.method"), true)
		out = detail(out, "url", url, false)
		out = detail(out, "lib", s.name, false)
	default:
		out = detail(out, "name", s.name, true)
	}
	return append(out, `},"children":[]}`...)
}

func detail(out []byte, key, text string, first bool) []byte {
	if !first {
		out = append(out, ',')
	}
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "")
	}
	return assemble.AppendText(append(append(append(out, '"'), key...), '"', ':'), text)
}
