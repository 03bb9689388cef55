package panes

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// message is events and what they lead to.
type message struct{ in, out, late string }

var stories = []struct {
	name  string
	set   func(*Settings)
	steps []message
}{
	{"a window is said once the watermark has reached its end", nil, []message{
		{in: "a@5=2 a@59=5 b@10=1"},
		{in: "a@60=1", out: "on_time a [0,60) v1 n=2 sum=7; on_time b [0,60) v1 n=1 sum=1"},
		{in: "a@70=1"},
	}},
	{"events inside a message count in any order", nil, []message{
		{in: "a@61=1 a@5=2", out: "on_time a [0,60) v1 n=1 sum=2"},
	}},
	{"events of equal times all count", nil, []message{
		{in: "a@7=1 a@7=1 a@7=1"},
		{in: "a@7=1 b@60=1", out: "on_time a [0,60) v1 n=4 sum=4"},
	}},
	{"an event at the end of a window belongs to the next", nil, []message{
		{in: "a@59=1"},
		{in: "a@60=2", out: "on_time a [0,60) v1 n=1 sum=1"},
		{in: "b@120=3", out: "on_time a [60,120) v1 n=1 sum=2"},
	}},
	{"negative numbers and zero are numbers", nil, []message{
		{in: "a@1=-5 a@2=0 a@3=-2.5"},
		{in: "tick@60", out: "on_time a [0,60) v1 n=3 sum=-7.5"},
	}},
	{"the delay holds a window open for events out of order", func(s *Settings) { s.Delay = 20 }, []message{
		{in: "a@50=1"},
		{in: "a@75=1"},
		{in: "a@58=1"},
		{in: "b@80=1", out: "on_time a [0,60) v1 n=2 sum=2"},
	}},
	{"a late event corrects the window", nil, []message{
		{in: "a@5=2"},
		{in: "b@65=1", out: "on_time a [0,60) v1 n=1 sum=2"},
		{in: "a@6=1 a@7=1", out: "corrected a [0,60) v2 n=3 sum=4"},
		{in: "a@8=1", out: "corrected a [0,60) v3 n=4 sum=5"},
	}},
	{"a late event of another key corrects that key alone", nil, []message{
		{in: "a@5=2"},
		{in: "b@65=1", out: "on_time a [0,60) v1 n=1 sum=2"},
		{in: "c@6=1", out: "corrected c [0,60) v1 n=1 sum=1"},
	}},
	{"an event after the lateness leaves and changes nothing", nil, []message{
		{in: "a@5=2"},
		{in: "b@359=1", out: "on_time a [0,60) v1 n=1 sum=2"},
		{in: "a@6=1", out: "corrected a [0,60) v2 n=2 sum=3"},
		{in: "b@360=1", out: "on_time b [300,360) v1 n=1 sum=1"},
		{in: "a@7=1", late: "a@7:1"},
		{in: "a@61=1", out: "corrected a [60,120) v1 n=1 sum=1"},
	}},
	{"an idle lane goes on with ticks", nil, []message{
		{in: "a@5=2"},
		{in: "tick@59"},
		{in: "tick@60", out: "on_time a [0,60) v1 n=1 sum=2"},
		{in: "tick@1000"},
		{in: "a@5=2", late: "a@5:1"},
	}},
	{"ticks never move the clock back", nil, []message{
		{in: "a@100=2"},
		{in: "tick@50"},
		{in: "tick@120", out: "on_time a [60,120) v1 n=1 sum=2"},
	}},
	{"early panes leave at full intervals and only when something came", func(s *Settings) { s.Early = 20 }, []message{
		{in: "a@5=2"},
		{in: "b@21=1", out: "early a [0,60) v1 n=1 sum=2; early b [0,60) v1 n=1 sum=1"},
		{in: "a@45=1", out: "early a [0,60) v2 n=2 sum=3"},
		{in: "tick@60", out: "on_time a [0,60) v3 n=2 sum=3; on_time b [0,60) v2 n=1 sum=1"},
		{in: "a@46=1", out: "corrected a [0,60) v4 n=3 sum=4"},
	}},
	{"without lateness a window is forgotten as it is said", func(s *Settings) { s.Lateness = 0 }, []message{
		{in: "a@5=2"},
		{in: "a@60=1", out: "on_time a [0,60) v1 n=1 sum=2"},
		{in: "a@59=1", late: "a@59:1"},
	}},
	{"sliding windows overlap and begin at multiples of the slide", func(s *Settings) { s.Kind, s.Slide = Sliding, 20 }, []message{
		{in: "a@45=1"},
		{in: "a@50=2"},
		{in: "a@61=4", out: "on_time a [0,60) v1 n=2 sum=3"},
		{in: "tick@80", out: "on_time a [20,80) v1 n=3 sum=7"},
		{in: "a@55=8", out: "corrected a [0,60) v2 n=3 sum=11; corrected a [20,80) v2 n=4 sum=15"},
		{in: "tick@140", out: "on_time a [40,100) v1 n=4 sum=15; on_time a [60,120) v1 n=1 sum=4"},
	}},
	{"a sliding window takes no correction once its own lateness is over", func(s *Settings) { s.Kind, s.Slide, s.Lateness = Sliding, 20, 10 }, []message{
		{in: "a@45=1"},
		{in: "tick@75", out: "on_time a [0,60) v1 n=1 sum=1"},
		{in: "a@46=1"},
		{in: "tick@80", out: "on_time a [20,80) v1 n=2 sum=2"},
		{in: "a@47=1", out: "corrected a [20,80) v2 n=3 sum=3"},
	}},
	{"the first sliding windows begin before their first event", func(s *Settings) { s.Kind, s.Slide = Sliding, 30 }, []message{
		{in: "a@10=1"},
		{in: "tick@30", out: "on_time a [-30,30) v1 n=1 sum=1"},
		{in: "tick@90", out: "on_time a [0,60) v1 n=1 sum=1"},
	}},
	{"a session ends when nothing comes for the gap", session, []message{
		{in: "a@5=1 a@14=2"},
		{in: "tick@23"},
		{in: "tick@24", out: "on_time a [5,24) v1 n=2 sum=3"},
	}},
	{"an event exactly the gap later begins another session", session, []message{
		{in: "a@5=1 a@15=2", out: "on_time a [5,15) v1 n=1 sum=1"},
		{in: "tick@25", out: "on_time a [15,25) v1 n=1 sum=2"},
	}},
	{"an event between two sessions joins them", func(s *Settings) { session(s); s.Delay = 10 }, []message{
		{in: "a@5=1 a@20=2"},
		{in: "a@12=4"},
		{in: "tick@40", out: "on_time a [5,30) v1 n=3 sum=7"},
	}},
	{"a session that was said and is joined is withdrawn", session, []message{
		{in: "a@5=1 a@20=2", out: "on_time a [5,15) v1 n=1 sum=1"},
		{in: "tick@40", out: "on_time a [20,30) v1 n=1 sum=2"},
		{in: "a@12=4", out: "corrected a [20,30) v2 n=0 sum=<nil> merged into 5; corrected a [5,30) v2 n=3 sum=7"},
	}},
	{"a session that begins earlier than was said is said anew", session, []message{
		{in: "a@20=2"},
		{in: "tick@40", out: "on_time a [20,30) v1 n=1 sum=2"},
		{in: "a@12=4", out: "corrected a [12,30) v1 n=2 sum=6; corrected a [20,30) v2 n=0 sum=<nil> merged into 12"},
	}},
	{"a session goes on after it was said", session, []message{
		{in: "a@5=1"},
		{in: "tick@15", out: "on_time a [5,15) v1 n=1 sum=1"},
		{in: "a@14=1"},
		{in: "tick@24", out: "on_time a [5,24) v2 n=2 sum=2"},
	}},
	{"sessions after the lateness are late", func(s *Settings) { session(s); s.Lateness = 30 }, []message{
		{in: "a@5=1"},
		{in: "tick@45", out: "on_time a [5,15) v1 n=1 sum=1"},
		{in: "a@5=1", late: "a@5:1"},
		{in: "a@6=1", out: "corrected a [6,16) v1 n=1 sum=1"},
	}},
	{"sessions have early panes", func(s *Settings) { session(s); s.Early = 10 }, []message{
		{in: "a@5=1"},
		{in: "a@11=1", out: "early a [5,21) v1 n=2 sum=2"},
		{in: "tick@20"},
		{in: "tick@21", out: "on_time a [5,21) v2 n=2 sum=2"},
	}},
	{"a key has no more sessions than the limit", func(s *Settings) { session(s); s.MaxSessions = 2 }, []message{
		{in: "a@5=1 a@25=1 a@45=1 a@6=1", out: "on_time a [5,16) v1 n=2 sum=2", late: "a@45:3"},
	}},
	{"a lane has no more windows than the limit", func(s *Settings) { s.MaxWindows = 2 }, []message{
		{in: "a@5=1 b@5=1 c@5=1 a@6=1", late: "c@5:2"},
		{in: "tick@500", out: "on_time a [0,60) v1 n=2 sum=2; on_time b [0,60) v1 n=1 sum=1"},
		{in: "c@500=1"},
	}},
}

func session(s *Settings) { s.Kind = Session }

func TestWindows(t *testing.T) {
	for _, story := range stories {
		t.Run(story.name, func(t *testing.T) {
			s := testSettings()
			if story.set != nil {
				story.set(&s)
			}
			l := newLane(t, s)
			for _, step := range story.steps {
				require.Equal(t, step.out, sentences(t, l.text(step.in)), "after %s", step.in)
				require.Equal(t, step.late, strings.Join(l.late, " "), "after %s", step.in)
			}
		})
	}
}

// A new engine over the same table, at every step and with next to no cache, says the same bytes.
func TestARestartAnywhereChangesNoByte(t *testing.T) {
	for _, story := range stories {
		t.Run(story.name, func(t *testing.T) {
			s := testSettings()
			if story.set != nil {
				story.set(&s)
			}
			straight := newLane(t, s)
			s.Hot = 1
			restarted := newLane(t, s)
			for _, step := range story.steps {
				want := straight.text(step.in)
				require.Equal(t, want, restarted.text(step.in), "after %s", step.in)
				require.Equal(t, straight.engine.Windows(), restarted.engine.Windows())
				restarted.restart()
			}
		})
	}
}

func TestNothingIsLeftOfWindowsThatAreOver(t *testing.T) {
	for _, story := range stories {
		t.Run(story.name, func(t *testing.T) {
			s := testSettings()
			if story.set != nil {
				story.set(&s)
			}
			l := newLane(t, s)
			for _, step := range story.steps {
				l.text(step.in)
			}
			l.text("tick@10000")
			require.Zero(t, l.engine.Windows())
			require.Equal(t, 1, l.table.Len(), "only the clock stays")
			_, _, armed := l.table.Due(1 << 50)
			require.False(t, armed)
		})
	}
}

func TestARecordSaysNoMorePanesThanTheLimitAndTheNextGoesOn(t *testing.T) {
	s := testSettings()
	s.MaxPanes, s.Lateness = 2, 60
	l := newLane(t, s)
	l.text("a@5 b@5 c@5 d@5 e@5")
	seen := map[string]int{}
	count := func(panes []Pane, want int) {
		t.Helper()
		require.Len(t, panes, want)
		for _, p := range panes {
			seen[parsed(t, p).Key["k"]]++
		}
	}
	count(l.text("f@60"), 2)
	_, due, armed := l.table.Due(60)
	require.True(t, armed, "the log is asked for a tick")
	require.EqualValues(t, 60, due)
	l.restart()
	count(l.text("f@61"), 2)
	count(l.text("tick@61"), 1)
	count(l.text("tick@61"), 0)
	require.Equal(t, map[string]int{"a": 1, "b": 1, "c": 1, "d": 1, "e": 1}, seen)
	require.Len(t, l.text("tick@120"), 1)
}
