package panes

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

var allFunctions = []Aggregate{
	{Name: "count", Function: Count},
	{Name: "sum", Function: Sum},
	{Name: "min", Function: Min},
	{Name: "max", Function: Max},
	{Name: "avg", Function: Avg},
	{Name: "distinct", Function: Distinct},
	{Name: "percentiles", Function: Percentiles, Percentiles: []float64{0, 50, 90, 99, 100}},
}

// folded is a window by brute force: all its events, kept.
type folded struct {
	key        string
	start, end int64
	numbers    []float64
}

// fold cuts events into windows in the plainest way there is.
func fold(s Settings, all []event) (windows []folded) {
	byKey := map[string][]event{}
	for _, one := range all {
		byKey[one.key] = append(byKey[one.key], one)
	}
	for key, of := range byKey {
		slices.SortFunc(of, func(a, b event) int { return cmp.Compare(a.at, b.at) })
		if s.Kind == Session {
			for _, one := range of {
				last := len(windows) - 1
				if last >= 0 && windows[last].key == key && one.at < windows[last].end {
					windows[last].end = one.at + s.Gap
					windows[last].numbers = append(windows[last].numbers, one.number)
					continue
				}
				windows = append(windows, folded{key, one.at, one.at + s.Gap, []float64{one.number}})
			}
			continue
		}
		for start := s.Slide - s.Size; start <= of[len(of)-1].at; start += s.Slide {
			w := folded{key: key, start: start, end: start + s.Size}
			for _, one := range of {
				if one.at >= w.start && one.at < w.end {
					w.numbers = append(w.numbers, one.number)
				}
			}
			if len(w.numbers) > 0 {
				windows = append(windows, w)
			}
		}
	}
	return windows
}

// random makes events whose order is off by at most the lateness.
func random(r *rand.Rand, n int, lateness int64) []event {
	all := make([]event, n)
	places := make(map[int]int64, n)
	order := make([]int, n)
	at := int64(1000)
	for i := range all {
		at += r.Int64N(8)
		if r.IntN(50) == 0 {
			at += r.Int64N(300)
		}
		all[i] = event{key: string(rune('a' + r.IntN(4))), at: at, number: float64(r.IntN(401) - 100)}
		order[i], places[i] = i, at+r.Int64N(lateness+1)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(places[a], places[b]) })
	shuffled := make([]event, n)
	for i, from := range order {
		shuffled[i] = all[from]
	}
	return shuffled
}

// cut makes messages of 1 to most events.
func cut(r *rand.Rand, all []event, most int) (messages [][]event) {
	for len(all) > 0 {
		n := min(len(all), r.IntN(most)+1)
		messages, all = append(messages, all[:n]), all[n:]
	}
	return messages
}

func TestWhatWindowsSayLastIsTheFoldOfTheirEvents(t *testing.T) {
	kinds := map[string]func(*Settings){
		"tumbling":                     func(*Settings) {},
		"sliding":                      func(s *Settings) { s.Kind, s.Slide = Sliding, 12 },
		"session":                      session,
		"tumbling with early":          func(s *Settings) { s.Early, s.Delay = 7, 15 },
		"sliding with early":           func(s *Settings) { s.Kind, s.Slide, s.Early, s.Delay = Sliding, 15, 7, 15 },
		"session with early":           func(s *Settings) { session(s); s.Early, s.Delay = 7, 15 },
		"few panes a record, tumbling": func(s *Settings) { s.MaxPanes, s.Early = 2, 20 },
		"few panes a record, sliding":  func(s *Settings) { s.Kind, s.Slide, s.MaxPanes, s.Delay = Sliding, 30, 3, 15 },
		"few panes a record, session":  func(s *Settings) { session(s); s.MaxPanes = 9 },
	}
	for name, set := range kinds {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(4) {
				r := rand.New(rand.NewPCG(seed, 1))
				s := testSettings()
				s.Aggregates, s.Lateness, s.Hot = allFunctions, 100, 1+r.IntN(20)
				set(&s)
				all := random(r, 800, 100)
				l, newest := newLane(t, s), map[string]said{}
				for _, message := range cut(r, all, 30) {
					if r.IntN(10) == 0 {
						l.restart()
					}
					note(t, newest, l.message(message, 0))
					require.Empty(t, l.late, "nothing is later than the lateness")
				}
				for l.engine.Windows() > 0 {
					note(t, newest, l.text("tick@1000000"))
				}
				require.Equal(t, 1, l.table.Len(), "only the clock stays")
				requireFold(t, fold(s, all), newest)
			}
		})
	}
}

// note keeps the newest version of every window; one that was withdrawn goes.
func note(t *testing.T, newest map[string]said, panes []Pane) {
	for _, p := range panes {
		one := parsed(t, p)
		id := fmt.Sprintf("%s/%d", one.Key["k"], one.Start)
		before, known := newest[id]
		require.True(t, !known || one.Version > before.Version, "versions of a window grow: %s", p.Content)
		if one.Merged != nil {
			delete(newest, id)
			continue
		}
		newest[id] = one
	}
}

func requireFold(t *testing.T, want []folded, newest map[string]said) {
	t.Helper()
	require.Len(t, newest, len(want))
	for _, w := range want {
		got, ok := newest[fmt.Sprintf("%s/%d", w.key, w.start)]
		require.True(t, ok, "%s [%d,%d)", w.key, w.start, w.end)
		require.Equal(t, w.end, got.End)
		slices.Sort(w.numbers)
		sum, n := 0.0, len(w.numbers)
		for _, number := range w.numbers {
			sum += number
		}
		require.EqualValues(t, n, got.Events)
		require.EqualValues(t, n, got.Values["count"])
		require.InDelta(t, sum, got.Values["sum"], 0)
		require.InDelta(t, w.numbers[0], got.Values["min"], 0)
		require.InDelta(t, w.numbers[n-1], got.Values["max"], 0)
		require.InDelta(t, sum/float64(n), got.Values["avg"], 0)
		distinct := len(slices.Compact(slices.Clone(w.numbers)))
		require.InDelta(t, distinct, got.Values["distinct"], float64(distinct)*0.02)
		for name, at := range map[string]float64{"p0": 0, "p50": 0.5, "p90": 0.9, "p99": 0.99, "p100": 1} {
			exact := w.numbers[int(at*float64(n-1))]
			require.InDelta(t, exact, got.Values["percentiles"].(map[string]any)[name], math.Abs(exact)*0.010001)
		}
	}
}

func TestIdsComeFromContent(t *testing.T) {
	s := testSettings()
	a, b := newLane(t, s), newLane(t, s)
	s.Name = "other"
	c := newLane(t, s)
	id := func(l *lane, in string) string {
		panes := l.text(in + " tick@60")
		require.Len(t, panes, 1)
		return parsed(t, panes[0]).ID
	}
	first := id(a, "a@5=2")
	require.Equal(t, first, id(b, "a@5=2"), "the same pane again has the same id")
	require.NotEqual(t, first, id(c, "a@5=2"))
	require.NotEqual(t, first, id(newLane(t, testSettings()), "a@5=3"))
}

func TestKeysWithTheSameHashAreNotMixed(t *testing.T) {
	l := newLane(t, testSettings())
	l.text("a@5=2")
	// Another key that hashes as a does.
	require.NoError(t, l.table.Begin(l.offset, 0))
	outcome, err := l.engine.windows.add(hashOf([]byte("\x04\x01a")), []byte("\x04\x01b"), 6, []Input{{Number: 1, Present: true}})
	require.NoError(t, err)
	require.Equal(t, Collision, outcome)
}

func TestSettingsThatMakeNoSenseAreRefusedByName(t *testing.T) {
	for field, set := range map[string]func(*Settings){
		"size":               func(s *Settings) { s.Size = 0 },
		"slide":              func(s *Settings) { s.Kind, s.Slide = Sliding, 7 },
		"gap":                func(s *Settings) { s.Kind, s.Gap = Session, 0 },
		"lateness":           func(s *Settings) { s.Lateness = -1 },
		"distinct_precision": func(s *Settings) { s.Precision = 20 },
		"aggregates":         func(s *Settings) { s.Aggregates = nil },
		"no name":            func(s *Settings) { s.Aggregates = []Aggregate{{Function: Count}} },
		"two of the name":    func(s *Settings) { s.Aggregates = append(s.Aggregates, s.Aggregates...) },
		"unknown function":   func(s *Settings) { s.Aggregates = []Aggregate{{Name: "x", Function: "median"}} },
		"percentile 101": func(s *Settings) {
			s.Aggregates = []Aggregate{{Name: "x", Function: Percentiles, Percentiles: []float64{101}}}
		},
		"percentiles belong": func(s *Settings) { s.Aggregates = []Aggregate{{Name: "x", Function: Percentiles}} },
	} {
		s := testSettings()
		before := s.Logic()
		set(&s)
		require.ErrorContains(t, s.Check(), field)
		require.NotEqual(t, before, s.Logic())
	}
}
