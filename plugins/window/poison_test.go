package window

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/stateful"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const poisoned = `
name: any
by: [ key ]
window: { size: 1m }
delay: 0s
hot_windows: 1
aggregates:
  - { name: n, function: count }
  - { name: u, function: distinct, field: u }
  - { name: p, function: percentiles, field: v, percentiles: [ 50 ] }
`

// poisons are events that a state cannot keep as they are. at is the message's own
// time, reason why they are in no window: "" for those that are in one.
var poisons = []struct {
	name   string
	extra  string
	event  string
	at     int64
	reason string
}{
	{"a key of 70 KB", "", `{"key":"` + strings.Repeat("k", 70_000) + `"}`, 5000, "reading by: the key is longer than max_key_bytes"},
	{"a key of 70 KB where the longest keys are allowed", "max_key_bytes: 16384", `{"key":"` + strings.Repeat("k", 70_000) + `"}`, 5000, "reading by: the key is longer than max_key_bytes"},
	{"a number of 70,000 digits as a key", "", `{"key":` + strings.Repeat("7", 70_000) + `}`, 5000, "reading key: it is a number: a part of a key is text, a finite number or a truth value"},
	{"a number of 70,000 decimals as a key", "", `{"key":0.` + strings.Repeat("7", 70_000) + `}`, 5000, "reading by: the key is longer than max_key_bytes"},
	{"the longest key there is, of control characters", "max_key_bytes: 16384", `{"key":"` + strings.Repeat(`\u0001`, 16_380) + `"}`, 5000, ""},
	{"a distinct value of 70 KB", "", `{"key":"a","u":"` + strings.Repeat("u", 70_000) + `"}`, 5000, ""},
	{"20,000 distinct values and numbers in one message", "distinct_precision: 15", manyEvents(20_000), 5000, ""},
	{"the greatest number at the smallest error", "percentile_error: 0.001", `[{"key":"a","v":1e308},{"key":"b","v":-1e308}]`, 5000, ""},
	{"the least number at the smallest error", "percentile_error: 0.001", `[{"key":"a","v":1e-300},{"key":"b","v":-1e-300}]`, 5000, ""},
	{"nanoseconds for milliseconds", "", `{"key":"a"}`, 1_700_000_000_000_000_000, "reading time: 1.7e+18 ms is not between the years 1970 and 5138"},
	{"a time before 1970", "", `{"key":"a"}`, -1, "reading time: -1 ms is not between the years 1970 and 5138"},
}

// manyEvents are of one key, with a value and a number of its own each.
func manyEvents(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`{"key":"a","u":%d,"v":%ge%d}`, i, 1+float64(i)/float64(n), i%600-300)
	}
	return "[" + strings.Join(all, ",") + "]"
}

// processing gives a record and fails when it holds the stream.
func processing(t *testing.T, a *aggregator, m *service.Message, offset, at int64) service.MessageBatch {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	out, err := a.Process(ctx, logged(m, offset, at))
	require.NoError(t, err)
	return out
}

// Behind a log without dead letters an event that cannot be kept would hold its
// lane for ever: it is told like others that are in no window.
func TestWhatCannotBeKeptDoesNotHoldItsLane(t *testing.T) {
	for _, p := range poisons {
		t.Run(p.name, func(t *testing.T) {
			store, err := state.Open(crashdisk.New(1), state.Options{Dir: "state"})
			require.NoError(t, err)
			_, err = store.Restore(t.Context(), testengine.LogIdentity{ID: "log", Partitions: 4}, 3, 0, 0)
			require.NoError(t, err)
			a := newAggregator(t, poisoned+p.extra)
			a.lanes = stateful.Over(store, service.MockResources().Logger(), a.memory)
			processing(t, a, text(`{"key":"a"}`), 0, 1000)
			out := processing(t, a, text(p.event), 1, p.at)
			if p.reason != "" {
				require.Len(t, out, 1)
				require.Equal(t, fmt.Sprintf("rejected 1 %s %s", p.event, p.reason), line(t, out[0]))
			}
			for offset := range int64(3) {
				processing(t, a, text(`{"key":"b"}`), 2+offset, 2000)
			}
			out = processing(t, a, text(`{"key":"c"}`), 5, 60_000)
			require.NotEmpty(t, out)
			for _, one := range out {
				require.Equal(t, testengine.KindWindow, message.Kind(one), "the windows go on")
			}
			store.Acked(3, 6)
			require.NoError(t, store.Close(t.Context()))
		})
	}
}

func TestAMappingsErrorIsToldInFewWords(t *testing.T) {
	a := newAggregator(t, "mapping: 'root.key = this.key.number()'\n"+poisoned)
	for _, letter := range []string{"k", "ü"} {
		out, err := a.Process(t.Context(), text(`{"key":"`+strings.Repeat(letter, 70_000)+`"}`))
		require.NoError(t, err)
		require.Len(t, out, 1)
		reason := message.Text(out[0], "reason")
		require.Contains(t, reason, "reading mapping: ")
		require.Less(t, len(reason), 600)
		require.True(t, utf8.ValidString(reason))
	}
}

func TestATickOfNoTimeIsToldAndMovesNothing(t *testing.T) {
	a := newAggregator(t, poisoned)
	require.Equal(t, []string{"applied"}, process(t, a, logged(text(`{"key":"a"}`), 0, 5000)))
	for offset, at := range []int64{-1, 1_700_000_000_000_000_000} {
		require.Equal(t, []string{fmt.Sprintf("rejected 1 {} reading log_time: %g ms is not between the years 1970 and 5138", float64(at)), "tick"},
			process(t, a, logged(tick(at), 1+int64(offset), at)))
	}
	require.Equal(t, []string{"applied"}, process(t, a, logged(text(`{"key":"a"}`), 3, 5000)))
	require.Len(t, process(t, a, logged(tick(60_000), 4, 60_000)), 2)
}

func TestLimitsBeyondTheStateAreRefusedWithoutALint(t *testing.T) {
	for _, extra := range []string{"max_key_bytes: 100000", "max_sessions_per_key: 100000", "percentile_error: 0.0000001"} {
		conf, err := aggregateSpec().ParseYAML(poisoned+extra, nil)
		require.NoError(t, err)
		_, err = aggregatorFromParsed(conf, service.MockResources())
		field, _, _ := strings.Cut(extra, ":")
		require.ErrorContains(t, err, "reading "+field+": it must be between")
	}
}
