package spool

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// story drives a spool of two lanes that waits ten seconds, by seconds.
type story struct {
	*Spool
	answered []string
}

func newStory(rate int64) *story { return &story{Spool: New(10*time.Second, rate, 2)} }

func at(second int) time.Time { return time.Unix(1_000+int64(second), 0) }

func (s *story) durable(second int, name string, places ...Place) {
	s.Durable(at(second), at(second), places, func() { s.answered = append(s.answered, name) })
}

func (s *story) waited(second, since int, name string, places ...Place) {
	s.Durable(at(second), at(since), places, func() { s.answered = append(s.answered, name) })
}

func (s *story) round(second, oldest int) bool {
	return s.Round(at(second), time.Duration(oldest)*time.Second)
}

func TestWhenAnUploadIsAnswered(t *testing.T) {
	for _, test := range []struct {
		name     string
		tell     func(s *story)
		answered []string
		spilled  int64
	}{
		{"not before the log behind has it", func(s *story) {
			s.durable(0, "a", Place{0, 1})
			s.round(5, 5)
		}, nil, 0},
		{"when the log behind has it", func(s *story) {
			s.durable(0, "a", Place{0, 1})
			s.durable(0, "b", Place{0, 2})
			s.Done(0, 2)
		}, []string{"a"}, 0},
		{"at once when the log behind was faster than the answer", func(s *story) {
			s.Done(0, 2)
			s.durable(0, "a", Place{0, 1})
		}, []string{"a"}, 0},
		{"with its last entry, of any lane", func(s *story) {
			s.durable(0, "a", Place{0, 1}, Place{1, 2})
			s.durable(0, "b", Place{1, 3})
			s.Done(1, 3)
			s.durable(0, "c", Place{0, 4})
			s.Done(0, 2)
		}, []string{"a"}, 0},
		{"when it has waited long enough, and all others with it", func(s *story) {
			s.durable(0, "a", Place{0, 1})
			s.durable(8, "b", Place{1, 2})
			s.round(9, 9)
			s.round(10, 10)
		}, []string{"a", "b"}, 2},
		{"once", func(s *story) {
			s.durable(0, "a", Place{0, 1})
			s.round(10, 10)
			s.Done(0, 2)
			s.Close()
		}, []string{"a"}, 1},
		{"at once while the log behind is away", func(s *story) {
			s.round(0, 11)
			s.durable(0, "a", Place{0, 1})
		}, []string{"a"}, 1},
		{"not at once any more when the log behind has caught up", func(s *story) {
			s.round(0, 11)
			s.round(1, 3)
			s.durable(1, "a", Place{0, 1})
			s.round(2, 3)
		}, nil, 0},
		{"with what it waited before it came, and what comes next at once", func(s *story) {
			s.waited(2, -8, "a", Place{0, 1})
			s.durable(2, "b", Place{0, 2})
			s.round(11, 1)
			s.durable(11, "c", Place{0, 3})
			s.round(12, 1)
			s.durable(12, "d", Place{0, 4})
		}, []string{"a", "b", "c"}, 3},
		{"soon when it waited almost long enough before it came", func(s *story) {
			s.durable(0, "a", Place{0, 1})
			s.waited(2, -7, "b", Place{0, 2})
			s.round(2, 2)
			s.durable(2, "c", Place{0, 3})
			s.round(3, 3)
		}, []string{"a", "b", "c"}, 3},
		{"when the buffer closes", func(s *story) {
			s.durable(0, "a", Place{0, 1})
			s.Close()
			s.durable(0, "b", Place{0, 2})
		}, []string{"a", "b"}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStory(0)
			test.tell(s)
			require.Equal(t, test.answered, s.answered)
			require.Equal(t, test.spilled, s.Spilled())
		})
	}
}

func TestABacklogIsHandedOutAtItsRate(t *testing.T) {
	s := newStory(100)
	s.HandedOut(at(0), 500)
	require.False(t, s.Paused(at(0)), "without a backlog there is no limit")
	require.True(t, s.round(0, 11))
	require.True(t, s.Paused(at(3)))
	require.False(t, s.Paused(at(5)))
	handed, bytes := at(5), 0
	for second := 5; second < 25; second++ {
		if !s.Paused(at(second)) {
			s.HandedOut(at(second), 300)
			handed, bytes = at(second), bytes+300
		}
	}
	require.InDelta(t, 2000, bytes, 300)
	require.False(t, s.Paused(handed.Add(time.Minute)), "what was not used is not saved up for long")
	s.HandedOut(handed.Add(time.Minute), 300)
	require.True(t, s.Paused(handed.Add(time.Minute)))
	require.False(t, s.round(90, 0))
	require.False(t, s.Paused(handed.Add(time.Minute)))
	without := newStory(0)
	without.round(0, 11)
	without.HandedOut(at(0), 1<<30)
	require.False(t, without.Paused(at(0)))
}
