package panes

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/window/events"
)

func testSettings() Settings {
	return Settings{
		Name: "test", By: []string{"k"}, Kind: Tumbling, Size: 60, Slide: 60, Gap: 10, Lateness: 300,
		Aggregates: []Aggregate{{Name: "sum", Function: Sum}},
		MaxWindows: 1_000_000, MaxSessions: 100, MaxKey: 1024, MaxPanes: 1_000_000, Hot: 1000, RelativeError: 0.01, Precision: 14,
	}
}

// lane is an engine over a table in memory. A message is a record of a log.
type lane struct {
	t        testing.TB
	settings Settings
	table    *state.Table
	engine   *Engine
	offset   int64
	late     []string
}

func newLane(t testing.TB, s Settings) *lane {
	t.Helper()
	require.NoError(t, s.Check())
	table, err := state.NewMemory().Table(context.Background(), "windows", 0, "")
	require.NoError(t, err)
	l := &lane{t: t, settings: s, table: table}
	l.restart()
	return l
}

// restart makes a new engine over what the table has.
func (l *lane) restart() {
	var err error
	l.engine, err = New(l.table, &l.settings)
	require.NoError(l.t, err)
}

type event struct {
	key    string
	at     int64
	number float64
}

// parse reads "a@10=5 b@12": key, time, number (1).
func parse(t testing.TB, text string) (all []event, tick int64) {
	for word := range strings.FieldsSeq(text) {
		key, rest, ok := strings.Cut(word, "@")
		require.True(t, ok, word)
		at, number, has := strings.Cut(rest, "=")
		one := event{key: key, number: 1}
		var err error
		one.at, err = strconv.ParseInt(at, 10, 64)
		require.NoError(t, err)
		if has {
			one.number, err = strconv.ParseFloat(number, 64)
			require.NoError(t, err)
		}
		if key == "tick" {
			tick = one.at
			continue
		}
		all = append(all, one)
	}
	return all, tick
}

func (l *lane) text(text string) []Pane {
	all, tick := parse(l.t, text)
	return l.message(all, tick)
}

func (l *lane) message(all []event, tick int64) []Pane {
	require.NoError(l.t, l.table.Begin(l.offset, 0))
	l.offset++
	l.late = l.late[:0]
	inputs := make([]Input, len(l.settings.Aggregates))
	for _, one := range all {
		key, err := AppendKeyPart(nil, &events.Value{Kind: events.Text, Text: one.key})
		require.NoError(l.t, err)
		for i := range inputs {
			inputs[i] = Input{Number: one.number, Hash: testengine.HashUint(0, uint64(one.number)), Present: true}
		}
		outcome, err := l.engine.Add(key, one.at, inputs)
		require.NoError(l.t, err)
		if outcome != Taken {
			l.late = append(l.late, fmt.Sprintf("%s@%d:%d", one.key, one.at, outcome))
		}
	}
	l.engine.Tick(tick)
	panes, err := l.engine.Advance()
	require.NoError(l.t, err)
	l.engine.Write()
	require.NoError(l.t, l.table.End())
	return panes
}

type said struct {
	ID      string            `json:"id"`
	Pane    string            `json:"pane"`
	Version int               `json:"version"`
	Start   int64             `json:"start"`
	End     int64             `json:"end"`
	Mark    int64             `json:"watermark"`
	Key     map[string]string `json:"key"`
	Merged  *int64            `json:"merged_into"`
	Events  int64             `json:"events"`
	Values  map[string]any    `json:"values"`
}

func parsed(t testing.TB, p Pane) (one said) {
	require.NoError(t, json.Unmarshal(p.Content, &one), string(p.Content))
	require.Equal(t, string(p.Kind), one.Pane)
	require.Equal(t, p.Version, one.Version)
	return one
}

// sentences writes panes as "on_time a [0,60) v1 n=2 sum=7".
func sentences(t testing.TB, panes []Pane) string {
	var all []string
	for _, p := range panes {
		one := parsed(t, p)
		text := fmt.Sprintf("%s %s [%d,%d) v%d n=%d sum=%v", one.Pane, one.Key["k"], one.Start, one.End, one.Version, one.Events, one.Values["sum"])
		if one.Merged != nil {
			text += fmt.Sprintf(" merged into %d", *one.Merged)
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return strings.Join(all, "; ")
}
