package panes

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
)

// part is a lane with the half of the keys that is in the text: what a division
// makes of a copy of the lane's table.
func (l *lane) part(keys string) *lane {
	table, err := state.NewMemory().Table(context.Background(), "windows", 0, "")
	require.NoError(l.t, err)
	require.NoError(l.t, table.Begin(0, 0))
	l.table.Range(func(key, cell uint64, value []byte) bool {
		if value == nil {
			table.SetCell(key, cell)
		} else {
			table.SetValue(key, value)
		}
		return true
	})
	l.table.Timers(func(id uint64, due int64) bool {
		table.SetTimer(id, due)
		return true
	})
	require.NoError(l.t, Divide(table, func(parts []string) (bool, error) {
		require.Len(l.t, parts, 1)
		return strings.Contains(keys, parts[0]), nil
	}))
	require.NoError(l.t, table.End())
	part := &lane{t: l.t, settings: l.settings, table: table, offset: 1}
	part.restart()
	return part
}

// Windows over more partitions from some record on say what they would have said.
func TestWhatDividedWindowsSayLastIsTheFoldOfTheirEvents(t *testing.T) {
	kinds := map[string]func(*Settings){
		"tumbling":           func(s *Settings) { s.Early, s.Delay = 7, 15 },
		"sliding":            func(s *Settings) { s.Kind, s.Slide, s.Early, s.Delay = Sliding, 15, 7, 15 },
		"sliding, few panes": func(s *Settings) { s.Kind, s.Slide, s.MaxPanes, s.Delay = Sliding, 12, 3, 15 },
		"session":            func(s *Settings) { session(s); s.Early, s.Delay = 7, 15 },
	}
	for name, set := range kinds {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(6) {
				r := rand.New(rand.NewPCG(seed, 5))
				s := testSettings()
				s.Aggregates, s.Lateness, s.Hot = allFunctions, 100, 1+r.IntN(20)
				set(&s)
				all := random(r, 800, 100)
				whole, newest := newLane(t, s), map[string]said{}
				messages := cut(r, all, 30)
				grown := r.IntN(len(messages))
				for _, message := range messages[:grown] {
					note(t, newest, whole.message(message, 0))
				}
				for _, keys := range []string{"ac", "bd"} {
					l := whole.part(keys)
					for _, message := range messages[grown:] {
						var mine []event
						for _, one := range message {
							if strings.Contains(keys, one.key) {
								mine = append(mine, one)
							}
						}
						if r.IntN(10) == 0 {
							l.restart()
						}
						note(t, newest, l.message(mine, 0))
						require.Empty(t, l.late)
					}
					for l.engine.Windows() > 0 {
						note(t, newest, l.text("tick@1000000"))
					}
					note(t, newest, l.text("tick@1000000"))
					require.Equal(t, 1, l.table.Len(), "only the clock stays")
				}
				requireFold(t, fold(s, all), newest)
			}
		})
	}
}

func TestADivisionThatDoesNotKnowAKeySaysSo(t *testing.T) {
	l := newLane(t, testSettings())
	l.text("a@10")
	none := errors.New("no such part")
	require.NoError(t, l.table.Begin(l.offset, 0))
	require.ErrorIs(t, Divide(l.table, func([]string) (bool, error) { return false, none }), none)
}

func TestTheKeyOfRecordsIsMadeOfAWindowsKey(t *testing.T) {
	for template, want := range map[string]string{
		"{1}": "web", "acme/{2}": "acme/EUR", "{2}:{1}": "EUR:web", "all": "all", "": "",
	} {
		key, err := ParseRecordKey(template)
		require.NoError(t, err, template)
		got, err := key.Of([]string{"web", "EUR"})
		require.NoError(t, err, template)
		require.Equal(t, want, got)
	}
	for _, template := range []string{"{", "{x}", "{0}", "{1", "a{}b", "{-1}"} {
		_, err := ParseRecordKey(template)
		require.ErrorIs(t, err, errRecordKey, template)
	}
	key, err := ParseRecordKey("{3}")
	require.NoError(t, err)
	_, err = key.Of([]string{"web", "EUR"})
	require.ErrorContains(t, err, "there is no {3} in a window's key of 2 parts")
}
