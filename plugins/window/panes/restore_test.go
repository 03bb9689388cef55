package panes

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// After a kill, a power cut or a roll-back anywhere, a record says what it said
// the first time: byte for byte.
func TestRestoredStateSaysTheSameBytes(t *testing.T) {
	kinds := map[string]func(*Settings){
		"tumbling": func(s *Settings) { s.Early, s.Delay = 20, 15 },
		"sliding":  func(s *Settings) { s.Kind, s.Slide, s.MaxPanes = Sliding, 20, 3 },
		"session":  session,
	}
	for name, set := range kinds {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(3) {
				r := rand.New(rand.NewPCG(seed, 3))
				s := testSettings()
				s.Aggregates, s.Lateness, s.Hot = allFunctions, 100, 1+r.IntN(30)
				set(&s)
				messages := cut(r, random(r, 600, 100), 12)
				straight, want := newLane(t, s), make([][]Pane, len(messages))
				for offset, message := range messages {
					want[offset] = straight.message(message, 0)
				}
				w := &restored{t: t, random: r, settings: s, messages: messages, want: want, disk: crashdisk.New(seed)}
				for w.cursor < int64(len(messages)) {
					w.live()
				}
				require.Greater(t, w.restores, 5)
			}
		})
	}
}

// restored is a lane whose process is stopped again and again.
type restored struct {
	t        *testing.T
	random   *rand.Rand
	settings Settings
	messages [][]event
	want     [][]Pane
	disk     *crashdisk.Disk
	cursor   int64
	restores int
}

// live restores, works for some records, and is rolled back or stopped.
func (w *restored) live() {
	store, err := state.Open(w.disk, state.Options{Dir: "state", SegmentBytes: 4 << 10, MergeBytes: 8 << 10})
	require.NoError(w.t, err)
	next, err := store.Restore(w.t.Context(), testengine.LogIdentity{ID: "log", Partitions: 1}, 0, 0, w.cursor)
	require.NoError(w.t, err)
	w.restores++
	table, err := store.Table(w.t.Context(), "windows", 0, "")
	require.NoError(w.t, err)
	l := &lane{t: w.t, settings: w.settings, table: table, offset: next}
	l.restart()
	for range w.random.IntN(12) {
		if l.offset == int64(len(w.messages)) {
			break
		}
		for range min(w.random.Int64N(4)+1, int64(len(w.messages))-l.offset) {
			at := l.offset
			require.Equal(w.t, w.want[at], l.message(w.messages[at], 0), "record %d", at)
		}
		if w.random.IntN(4) == 0 {
			// The batch was not committed.
			l.offset, err = store.RollBack(w.t.Context(), 0, w.cursor)
			require.NoError(w.t, err)
			l.restart()
			continue
		}
		store.Acked(0, l.offset)
		w.cursor = l.offset
		if w.random.IntN(3) == 0 {
			require.NoError(w.t, store.Snapshot(w.t.Context()))
		}
	}
	if w.random.IntN(2) == 0 {
		w.disk.Crash()
	} else {
		w.disk.Kill()
	}
}
