package page

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// The most that a chart shows; the table has everything.
const (
	maxBars   = 24
	maxSeries = 8
)

// Chart is what the script draws.
type Chart struct {
	// Kind is "bars", "lines" (labels are moments) or "durations" (points).
	Kind   string   `json:"kind"`
	Unit   string   `json:"unit"` // "s", "%" or ""
	Labels []string `json:"labels,omitempty"`
	Series []Series `json:"series"`
	// Note says what the chart leaves out.
	Note string `json:"-"`
}

// Series is one line, one colour of bars, or one kind of point.
type Series struct {
	Name   string     `json:"name"`
	Values []*float64 `json:"values,omitempty"`
	Points []Point    `json:"points,omitempty"`
}

// Point is one execution: when and how long.
type Point struct {
	X int64   `json:"x"`
	Y float64 `json:"y"`
}

func chartJSON(c Chart) (string, error) {
	text, err := json.Marshal(c)
	return string(text), err
}

// DurationChart plots executions (newest first) that have a duration.
func DurationChart(executions []query.Execution) Chart {
	passed, failed := Series{Name: "passed"}, Series{Name: "failed"}
	for _, e := range slices.Backward(executions) {
		if !e.HasDuration || !e.Result.Decisive() {
			continue
		}
		point := Point{X: e.At, Y: e.Duration}
		if e.Result == testengine.ResultFailed {
			failed.Points = append(failed.Points, point)
		} else {
			passed.Points = append(passed.Points, point)
		}
	}
	c := Chart{Kind: "durations", Unit: "s"}
	for _, s := range []Series{passed, failed} {
		if len(s.Points) > 0 {
			c.Series = append(c.Series, s)
		}
	}
	return c
}

// Unit is the unit of a measure: "s", "%" or "" for a count.
func Unit(m query.Measure) string {
	switch {
	case strings.HasSuffix(string(m), "_duration"):
		return "s"
	case m == query.FailureRate || m == query.Reliability:
		return "%"
	default:
		return ""
	}
}

// SliceChart draws a slice: lines when a key is a time, bars otherwise.
func SliceChart(s query.Slice, t query.Table) Chart {
	if len(s.By) == 0 || len(t.Rows) == 0 {
		return Chart{}
	}
	at := slices.IndexFunc(s.By, func(key string) bool { return key == query.KeyDay || key == query.KeyHour })
	if at >= 0 {
		return lines(s, t, at)
	}
	return bars(s, t)
}

// bars shows the measures that share the first one's unit.
func bars(s query.Slice, t query.Table) Chart {
	c := Chart{Kind: "bars", Unit: Unit(s.Measures[0])}
	rows := t.Rows
	if len(rows) > maxBars {
		rows = rows[:maxBars]
		c.Note = "The chart shows the first " + formatCount(maxBars) + " rows."
	}
	for _, row := range rows {
		c.Labels = append(c.Labels, rowLabel(row[:len(s.By)]))
	}
	for i, m := range s.Measures {
		if Unit(m) != c.Unit {
			continue
		}
		series := Series{Name: measureLabels[m]}
		for _, row := range rows {
			series.Values = append(series.Values, cellNumber(row[len(s.By)+i]))
		}
		c.Series = append(c.Series, series)
	}
	return c
}

// lines shows the first measure over time, a line for each value of the other
// keys: the longest lines when there are too many.
func lines(s query.Slice, t query.Table, at int) Chart {
	c := Chart{Kind: "lines", Unit: Unit(s.Measures[0])}
	label, line, length := map[string]int{}, map[string]int{}, []int{}
	for _, row := range t.Rows {
		moment, _ := row[at].(string)
		if _, ok := label[moment]; !ok {
			label[moment] = len(c.Labels)
			c.Labels = append(c.Labels, moment)
		}
	}
	for _, row := range t.Rows {
		name := lineName(s, row, at)
		i, ok := line[name]
		if !ok {
			i = len(c.Series)
			line[name] = i
			c.Series = append(c.Series, Series{Name: name, Values: make([]*float64, len(c.Labels))})
			length = append(length, 0)
		}
		moment, _ := row[at].(string)
		c.Series[i].Values[label[moment]] = cellNumber(row[len(s.By)])
		length[i]++
	}
	if len(c.Series) > maxSeries {
		c.Note = "The chart shows the " + formatCount(maxSeries) + " groups with the most moments, of " + formatCount(len(c.Series)) + "."
		slices.SortStableFunc(c.Series, func(a, b Series) int { return length[line[b.Name]] - length[line[a.Name]] })
		c.Series = c.Series[:maxSeries]
	}
	return c
}

func lineName(s query.Slice, row []any, at int) string {
	if len(s.By) == 1 {
		return measureLabels[s.Measures[0]]
	}
	return rowLabel(slices.Delete(slices.Clone(row[:len(s.By)]), at, at+1))
}

func rowLabel(keys []any) string {
	words := make([]string, len(keys))
	for i, key := range keys {
		words[i], _ = key.(string)
		if words[i] == "" {
			words[i] = "(none)"
		}
	}
	return strings.Join(words, " · ")
}

func cellNumber(cell any) *float64 {
	switch n := cell.(type) {
	case float64:
		return &n
	case int64:
		f := float64(n)
		return &f
	case int:
		f := float64(n)
		return &f
	default:
		return nil
	}
}

var measureLabels = map[query.Measure]string{
	query.Executions: "executions", query.Passed: "passed", query.Failed: "failed", query.Skipped: "skipped",
	query.Tests: "tests", query.Runs: "runs", query.FailureRate: "failure rate", query.Reliability: "reliability",
	query.P50Duration: "p50 duration", query.P90Duration: "p90 duration", query.P95Duration: "p95 duration",
	query.P99Duration: "p99 duration", query.AvgDuration: "average duration", query.MaxDuration: "longest duration",
	query.TotalDuration: "total duration",
}

// formatCell writes a cell of a slice for reading; column is its place.
func formatCell(s query.Slice, column int, cell any) string {
	if column < len(s.By) {
		return rowLabel([]any{cell})
	}
	n := cellNumber(cell)
	if n == nil {
		return "–"
	}
	switch Unit(s.Measures[column-len(s.By)]) {
	case "s":
		return formatSeconds(*n)
	case "%":
		return formatPercent(*n)
	default:
		return formatCount(int64(*n))
	}
}
