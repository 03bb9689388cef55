package panes

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/window/events"
)

// greatestSettings are the settings that need the most room.
func greatestSettings(kind Kind, functions ...Function) Settings {
	s := testSettings()
	s.Kind, s.Size, s.Slide, s.Gap = kind, 1<<40, 1<<40, 1<<36
	s.MaxKey, s.MaxSessions, s.Precision, s.RelativeError = MaxKeyBytes, MaxSessionsPerKey, 15, MinRelativeError
	s.Aggregates = nil
	for i := range MaxAggregates {
		a := Aggregate{Name: strconv.Itoa(i), Function: functions[i%len(functions)]}
		if a.Function == Percentiles {
			a.Percentiles = []float64{0, 50, 100}
		}
		s.Aggregates = append(s.Aggregates, a)
	}
	return s
}

// anyNumber is a finite number of any size.
func anyNumber(r *rand.Rand) float64 {
	for {
		if number := math.Float64frombits(r.Uint64()); !math.IsNaN(number) && !math.IsInf(number, 0) {
			return number
		}
	}
}

func longestKey(t *testing.T, letter string) []byte {
	t.Helper()
	key, err := AppendKeyPart(nil, &events.Value{Kind: events.Text, Text: strings.Repeat(letter, MaxKeyBytes-3)})
	require.NoError(t, err)
	require.True(t, len(key) == MaxKeyBytes, "it has %d bytes", len(key)) //nolint:testifylint // Len prints the key.
	return key
}

// A value that the state refuses would hold its lane for ever.
func TestNoEventMakesAValueThatTheStateRefuses(t *testing.T) {
	require.Equal(t, state.MaxValue, maxValue, "the state's limit is another one")
	for name, s := range map[string]Settings{
		"of every function":       greatestSettings(Tumbling, Functions...),
		"of distinct counts":      greatestSettings(Tumbling, Distinct),
		"of percentiles":          greatestSettings(Tumbling, Percentiles),
		"of sums":                 greatestSettings(Sliding, Sum),
		"of sessions":             greatestSettings(Session, Distinct, Sum),
		"of sessions' percentile": greatestSettings(Session, Percentiles),
	} {
		t.Run("the longest key and most aggregates "+name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(len(name)), 1))
			s.Hot = 3 // Windows are written and read again all the time.
			l := newLane(t, s)
			keys := [][]byte{longestKey(t, "a"), longestKey(t, "\x01"), longestKey(t, "\xff"), longestKey(t, "z")}
			inputs, longest := make([]Input, len(s.Aggregates)), 0
			for offset := range int64(60) {
				require.NoError(t, l.table.Begin(offset, 0))
				for range 40 {
					for i := range inputs {
						inputs[i] = Input{Number: anyNumber(r), Hash: r.Uint64(), Present: true}
					}
					at := r.Int64N(events.MaxTime)
					if s.Kind == Session && r.IntN(2) == 0 {
						at = r.Int64N(3) << 36
					}
					_, err := l.engine.Add(keys[r.IntN(len(keys))], at, inputs)
					require.NoError(t, err)
				}
				l.engine.Write()
				_, err := l.engine.Advance()
				require.NoError(t, err)
				l.engine.Write()
				l.table.Range(func(_, _ uint64, value []byte) bool {
					longest = max(longest, len(value))
					return true
				})
				require.NoError(t, l.table.End())
				if r.IntN(20) == 0 {
					l.restart()
				}
			}
			require.Greater(t, longest, MaxKeyBytes, "keys stand in the values")
			require.LessOrEqual(t, longest, maxValue)
		})
	}
}

func TestTheMostSessionsOfAKeyFitIntoAValue(t *testing.T) {
	of := spans{armed: events.MaxTime}
	for i := range MaxSessionsPerKey {
		of.list = append(of.list, span{start: events.MaxTime - int64(MaxSessionsPerKey-i), last: 2 * events.MaxTime, ended: true})
	}
	require.LessOrEqual(t, len(of.encode(nil)), maxValue)
}

// Whatever a piece holds, its parts have an upper bound each.
func TestThePartsOfAWindowAreBounded(t *testing.T) {
	for name, function := range map[string]Function{"distinct counts": Distinct, "percentiles": Percentiles, "sums": Sum, "extremes": Max} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, 7))
			s := greatestSettings(Tumbling, function)
			l := newLane(t, s)
			p := &l.engine.pieces
			i := p.create(1, events.MaxTime, longestKey(t, "k"))
			inputs := make([]Input, len(s.Aggregates))
			// One event less than what folds the tails.
			for range 63 {
				for n := range inputs {
					inputs[n] = Input{Number: anyNumber(r), Hash: testengine.HashUint(r.Uint64(), uint64(n)), Present: true}
				}
				require.NoError(t, p.add(i, inputs, l.engine.scale, s.Precision))
			}
			require.LessOrEqual(t, len(p.encode(nil, i)), maxValue)
		})
	}
}

func TestLimitsThatTheStateCouldNotKeepAreRefusedWithoutALint(t *testing.T) {
	for sentence, set := range map[string]func(*Settings){
		"max_key_bytes: it must be between 1 and 16384":       func(s *Settings) { s.MaxKey = 16385 },
		"max_key_bytes: it must be between 1":                 func(s *Settings) { s.MaxKey = 0 },
		"max_sessions_per_key: it must be between 1 and 1000": func(s *Settings) { s.MaxSessions = 1001 },
		"percentile_error: it must be between 0.001 and 0.1":  func(s *Settings) { s.RelativeError = 0.0009 },
		"percentile_error: it must be between 0.001":          func(s *Settings) { s.RelativeError = 1 },
	} {
		s := testSettings()
		set(&s)
		require.ErrorContains(t, s.Check(), sentence)
	}
}

func TestAKeyThatIsTooLongChangesNothing(t *testing.T) {
	s := testSettings()
	s.MaxKey = MaxKeyBytes
	l := newLane(t, s)
	require.NoError(t, l.table.Begin(0, 0))
	outcome, err := l.engine.Add(append(longestKey(t, "k"), 'k'), 5, []Input{{Number: 1, Present: true}})
	require.NoError(t, err)
	require.Equal(t, TooLong, outcome)
	outcome, err = l.engine.Add(longestKey(t, "k"), 5, []Input{{Number: 1, Present: true}})
	require.NoError(t, err)
	require.Equal(t, Taken, outcome)
	l.engine.Write()
	require.NoError(t, l.table.End())
	require.Equal(t, 1, l.engine.Windows())
}
