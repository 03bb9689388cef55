// Package outputs compares what two versions of a pipeline have said about the
// same records, window by window.
package outputs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// Options say how lines are told apart.
type Options struct {
	// Window is the length of a window in milliseconds of Time.
	Window int64
	// Time names the field with the line's time, in unix milliseconds or RFC 3339.
	Time string
	// Ignore names fields in which the versions may differ.
	Ignore []string
}

// A Window is what both have said in one window. Lines are compared whole, in any
// order.
type Window struct {
	Start int64 // unix milliseconds
	// Lines of the first and the second output.
	First, Second int
	// Lines that only one of them has.
	OnlyFirst, OnlySecond int
	// Examples are lines that only one has, at most three of each.
	Examples []string
	// Whole says that both outputs go on before and after the window. Others are
	// listed and say nothing.
	Whole bool
}

const (
	maxLine  = 16 << 20
	examples = 3
)

type side struct {
	counts map[uint64]int
	lines  map[uint64]string
	total  int
}

// Compare reads lines of JSON from both.
func Compare(first, second io.Reader, o Options) ([]Window, error) {
	a, err := read(first, o)
	if err != nil {
		return nil, fmt.Errorf("reading the first output: %w", err)
	}
	b, err := read(second, o)
	if err != nil {
		return nil, fmt.Errorf("reading the second output: %w", err)
	}
	begin, end := max(a.begin, b.begin), min(a.end, b.end)
	starts := map[int64]bool{}
	for start := range a.windows {
		starts[start] = true
	}
	for start := range b.windows {
		starts[start] = true
	}
	var all []Window
	for start := range starts {
		w := Window{Start: start, Whole: start > begin && start < end}
		w.compare(a.windows[start], b.windows[start])
		all = append(all, w)
	}
	slices.SortFunc(all, func(x, y Window) int { return int(x.Start - y.Start) })
	return all, nil
}

// output is one side: its windows, and the first and last of them.
type output struct {
	windows    map[int64]*side
	begin, end int64
}

func read(from io.Reader, o Options) (output, error) {
	out := output{windows: map[int64]*side{}, begin: math.MaxInt64, end: math.MinInt64}
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for number := 1; lines.Scan(); number++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		start, text, err := o.normal(lines.Bytes())
		if err != nil {
			return out, fmt.Errorf("line %d: %w", number, err)
		}
		s := out.windows[start]
		if s == nil {
			s = &side{counts: map[uint64]int{}, lines: map[uint64]string{}}
			out.windows[start] = s
		}
		id := testengine.Hash(0, text)
		s.counts[id]++
		s.lines[id] = text
		s.total++
		out.begin, out.end = min(out.begin, start), max(out.end, start)
	}
	return out, lines.Err()
}

// normal gives a line's window and its text without what is ignored, with sorted names.
func (o Options) normal(line []byte) (start int64, text string, err error) {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	object := map[string]any{}
	if err := decoder.Decode(&object); err != nil {
		return 0, "", err
	}
	at, err := millis(object[o.Time])
	if err != nil {
		return 0, "", fmt.Errorf("%s is no time in milliseconds, nor one as verdicts have it: %w", o.Time, err)
	}
	for _, name := range o.Ignore {
		delete(object, name)
	}
	whole, err := json.Marshal(object)
	return at - (at%o.Window+o.Window)%o.Window, string(whole), err
}

var errNoTime = errors.New("it is neither a number nor text")

// millis reads a time in unix milliseconds, or in RFC 3339.
func millis(value any) (int64, error) {
	switch v := value.(type) {
	case json.Number:
		return v.Int64()
	case string:
		at, err := time.Parse(time.RFC3339, v)
		return at.UnixMilli(), err
	}
	return 0, errNoTime
}

func (w *Window) compare(a, b *side) {
	empty := &side{}
	if a == nil {
		a = empty
	}
	if b == nil {
		b = empty
	}
	w.First, w.Second = a.total, b.total
	w.OnlyFirst = w.rest("first", a, b)
	w.OnlySecond = w.rest("second", b, a)
}

// rest counts the lines of a that b does not have.
func (w *Window) rest(name string, a, b *side) (only int) {
	var texts []string
	for id, count := range a.counts {
		if more := count - b.counts[id]; more > 0 {
			only += more
			texts = append(texts, a.lines[id])
		}
	}
	slices.Sort(texts)
	for _, text := range texts[:min(examples, len(texts))] {
		w.Examples = append(w.Examples, "only in the "+name+": "+text)
	}
	return only
}
