package panes

import (
	"math"
	"strconv"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/window/sketch"
)

// PaneKind says why a pane leaves.
type PaneKind string

// The kinds of panes.
const (
	// Early is of a window that is still open.
	Early PaneKind = "early"
	// OnTime is said when the watermark has passed the window's end.
	OnTime PaneKind = "on_time"
	// Corrected replaces what was said on time.
	Corrected PaneKind = "corrected"
)

// Pane is what a window says at a time.
type Pane struct {
	Kind PaneKind
	// Version grows by one with every pane of a window.
	Version int
	// Start and End bound the window, the end excluded; Due is the log time that
	// caused the pane. All in unix milliseconds.
	Start, End, Due int64
	// Content is the pane as JSON. Its `id` is a hash of everything else in it.
	Content []byte
}

// A cell remembers what was said of a window: the version of its newest pane, and
// how many events that pane had.
const (
	eventBits  = 36
	maxVersion = 1<<(56-eventBits) - 1
)

func cellOf(version int, events int64) uint64 {
	return uint64(min(version, maxVersion))<<eventBits | uint64(events)&(1<<eventBits-1)
}

func versionOf(cell uint64) int { return int(cell >> eventBits) }

func eventsOf(cell uint64) int64 { return int64(cell & (1<<eventBits - 1)) }

// A writer makes panes.
type writer struct {
	settings *Settings
	layout   *layout
	scale    sketch.Scale
	seed     uint64
	buffer   []byte
}

const idRoom = len(`{"id":"0123456789abcdef",`)

// pane writes a pane. merged is the start of the session into which this one was
// merged, or -1.
func (w *writer) pane(p Pane, watermark int64, key []byte, c contents, merged int64) Pane {
	b := append(w.buffer[:0], `{"id":"0123456789abcdef",`...)
	b = append(b, `"name":`...)
	b = appendText(b, w.settings.Name)
	b = append(b, `,"pane":"`...)
	b = append(b, p.Kind...)
	b = append(b, `","version":`...)
	b = strconv.AppendInt(b, int64(p.Version), 10)
	b = append(b, `,"start":`...)
	b = strconv.AppendInt(b, p.Start, 10)
	b = append(b, `,"end":`...)
	b = strconv.AppendInt(b, p.End, 10)
	b = append(b, `,"watermark":`...)
	b = strconv.AppendInt(b, watermark, 10)
	b = append(b, `,"key":`...)
	b = appendKey(b, w.settings.By, key)
	if merged >= 0 {
		b = append(b, `,"merged_into":`...)
		b = strconv.AppendInt(b, merged, 10)
	}
	b = append(b, `,"events":`...)
	b = strconv.AppendInt(b, eventsIn(c.words), 10)
	b = append(b, `,"values":{`...)
	for i := range w.layout.aggregates {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, w.layout.aggregates[i].Name), ':')
		b = w.value(b, &w.layout.aggregates[i], c)
	}
	b = append(b, "}}"...)
	w.buffer = b
	p.Content = append([]byte(nil), b...)
	id := testengine.FormatID(testengine.Hash(w.seed, view(b[idRoom:])))
	copy(p.Content[len(`{"id":"`):], id)
	return p
}

func (w *writer) value(b []byte, p *place, c contents) []byte {
	switch p.Function {
	case Count:
		return strconv.AppendInt(b, int64(c.words[p.at]), 10)
	case Min, Max:
		return appendNumber(b, c.words[p.at])
	case Sum:
		if c.words[p.at] == 0 {
			return append(b, "null"...)
		}
		return appendNumber(b, c.words[p.at+1])
	case Avg:
		return appendNumber(b, c.words[p.at+1]/c.words[p.at])
	case Distinct:
		return strconv.AppendUint(b, c.distincts[p.at].Count(), 10)
	default:
		return w.percentiles(b, p, &c.quantiles[p.at])
	}
}

func (w *writer) percentiles(b []byte, p *place, q *sketch.Quantiles) []byte {
	b = append(b, '{')
	for i, value := range q.At(w.scale, p.quantiles) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `"p`...)
		b = strconv.AppendFloat(b, p.Percentiles[i], 'f', -1, 64)
		b = append(b, `":`...)
		b = appendNumber(b, value)
	}
	return append(b, '}')
}

// wholeLimit is where whole numbers stop being exact.
const wholeLimit = 1 << 53

// appendNumber writes a number; what is none (nothing, an overflow) is null.
func appendNumber(b []byte, number float64) []byte {
	switch {
	case math.IsNaN(number) || math.IsInf(number, 0):
		return append(b, "null"...)
	case number == math.Trunc(number) && math.Abs(number) < wholeLimit:
		return strconv.AppendInt(b, int64(number), 10)
	}
	return strconv.AppendFloat(b, number, 'g', -1, 64)
}
