package page

import (
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func functions() template.FuncMap {
	return template.FuncMap{
		"ago":         func(at any) template.HTML { return timeElement(at, "ago") },
		"at":          func(at any) template.HTML { return timeElement(at, "at") },
		"between":     func(from, to int64) string { return formatSeconds(float64(to-from) / 1000) },
		"bytes":       formatBytes,
		"chart":       chartJSON,
		"count":       formatCount,
		"dict":        dict,
		"expanded":    parseExpanded,
		"hour":        func(at int64) string { return time.UnixMilli(at).UTC().Format("2 Jan 15:04") },
		"id":          testengine.FormatID,
		"meter":       meter,
		"percent":     formatPercent,
		"plural":      plural,
		"reliability": reliability,
		"seconds":     formatSeconds,
		"short":       short,
		"cell":        formatCell,
		"web":         isWeb,
		"statecount":  func(counts map[query.State]int, state string) int { return counts[query.State(state)] },
		"strip":       stripText,
		"why":         why,
		"word":        eventWord,
		"label":       func(m query.Measure) string { return measureLabels[m] },
	}
}

// timeElement is written in UTC; the script turns it into the reader's zone.
func timeElement(at any, style string) template.HTML {
	var milli int64
	switch v := at.(type) {
	case int64:
		milli = v
	case testengine.Time:
		milli = int64(v)
	}
	if milli == 0 {
		return `<span class="none">–</span>`
	}
	t := time.UnixMilli(milli).UTC()
	return template.HTML(`<time class="` + style + `" datetime="` + t.Format(time.RFC3339) + `">` + t.Format("2 Jan 15:04 MST") + `</time>`) //nolint:gosec // made of a number
}

// formatSeconds writes a duration in the unit a person would use.
func formatSeconds(s float64) string {
	switch abs := math.Abs(s); {
	case abs == 0:
		return "0\u00a0s"
	case abs < 0.001:
		return "<\u20091\u00a0ms"
	case abs < 0.9995:
		return strconv.FormatFloat(s*1000, 'f', 0, 64) + "\u00a0ms"
	case abs < 9.995:
		return strconv.FormatFloat(s, 'f', 2, 64) + "\u00a0s"
	case abs < 119.5:
		return strconv.FormatFloat(s, 'f', 1, 64) + "\u00a0s"
	case abs < 7200:
		return fmt.Sprintf("%d\u00a0min %d\u00a0s", int(s)/60, int(s)%60)
	default:
		return strconv.FormatFloat(s/3600, 'f', 1, 64) + "\u00a0h"
	}
}

// formatPercent writes a fraction; only 0 and 1 themselves become 0 % and 100 %.
func formatPercent(fraction float64) string {
	digits := 1
	if fraction == 0 || fraction == 1 {
		digits = 0
	}
	text := strconv.FormatFloat(fraction*100, 'f', digits, 64)
	switch {
	case fraction < 1 && text == "100.0":
		text = ">\u200999.9"
	case fraction > 0 && text == "0.0":
		text = "<\u20090.1"
	}
	return strings.TrimSuffix(text, ".0") + "\u00a0%"
}

func formatCount(n any) string {
	var text string
	switch v := n.(type) {
	case int:
		text = strconv.Itoa(v)
	case int64:
		text = strconv.FormatInt(v, 10)
	default:
		return fmt.Sprint(n)
	}
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func formatBytes(n int) string {
	switch {
	case n < 1000:
		return strconv.Itoa(n) + "\u00a0B"
	case n < 1_000_000:
		return strconv.FormatFloat(float64(n)/1000, 'f', 1, 64) + "\u00a0kB"
	default:
		return strconv.FormatFloat(float64(n)/1_000_000, 'f', 1, 64) + "\u00a0MB"
	}
}

func reliability(c query.Counts) string {
	fraction, ok := c.Reliability()
	if !ok {
		return "–"
	}
	return formatPercent(fraction)
}

// meter is the width, in 1/100, of a bar for a fraction.
func meter(fraction float64) string {
	return strconv.FormatFloat(100*min(max(fraction, 0), 1), 'f', 1, 64)
}

// short cuts a commit to what people say of it.
func short(commit string) string {
	if len(commit) > 8 {
		return commit[:8]
	}
	return commit
}

func isWeb(url string) bool {
	return strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://")
}

// Expanded is one failure's details as collectors send them.
type Expanded struct {
	Expanded  []string `json:"expanded"`
	Backtrace []string `json:"backtrace"`
}

// parseExpanded reads what it can; a shape no collector sends is shown as it is.
func parseExpanded(raw testengine.RawJSON) []Expanded {
	if raw == "" {
		return nil
	}
	var list []Expanded
	if err := json.Unmarshal([]byte(raw), &list); err != nil {
		return []Expanded{{Expanded: []string{string(raw)}}}
	}
	kept := list[:0]
	for _, e := range list {
		if len(e.Expanded)+len(e.Backtrace) > 0 {
			kept = append(kept, e)
		}
	}
	return kept
}

var eventWords = map[testengine.VerdictType]string{
	testengine.TestNew: "new test", testengine.FlakySuspected: "suspected flaky", testengine.FlakyDetected: "flaky",
	testengine.FlakyUpdated: "still flaky", testengine.FlakyHealed: "healed", testengine.FlakyStale: "stale",
	testengine.FlakyRetracted: "retracted", testengine.TestBroken: "broken", testengine.TestFixed: "fixed",
	testengine.IncidentOpened: "incident", testengine.IncidentClosed: "incident over",
	testengine.DurationSlower: "slower", testengine.DurationFaster: "faster again",
	testengine.QuarantineAdded: "quarantined", testengine.QuarantineEnded: "released",
}

func eventWord(event testengine.VerdictType) string {
	if word, ok := eventWords[event]; ok {
		return word
	}
	return string(event)
}

// dict hands several values to a template that is used in several pages.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("dict takes pairs of name and value")
	}
	d := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no name", pairs[i])
		}
		d[name] = pairs[i+1]
	}
	return d, nil
}

// stripText reads a row of marks out.
func stripText(results []testengine.Result) string {
	failed := 0
	for _, r := range results {
		if r == testengine.ResultFailed {
			failed++
		}
	}
	return fmt.Sprintf("%d of the last %d failed", failed, len(results))
}
