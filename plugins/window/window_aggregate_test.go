package window

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

func newAggregator(t testing.TB, yaml string) *aggregator {
	t.Helper()
	conf, err := aggregateSpec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	a, err := aggregatorFromParsed(conf, service.MockResources())
	require.NoError(t, err)
	return a
}

const payments = `
name: payments
by: [ merchant.id ]
time: at
time_unit: s
window: { type: tumbling, size: 1m }
delay: 0s
aggregates:
  - { name: n, function: count }
  - { name: amount, function: sum, field: amount }
`

// process gives a message and writes what leaves, one line each.
func process(t testing.TB, a *aggregator, m *service.Message) []string {
	t.Helper()
	out, err := a.Process(t.Context(), m)
	require.NoError(t, err)
	var lines []string
	for _, one := range out {
		lines = append(lines, line(t, one))
	}
	return lines
}

func line(t testing.TB, m *service.Message) string {
	content, err := m.AsBytes()
	require.NoError(t, err)
	kind := message.Kind(m)
	switch kind {
	case testengine.KindWindow:
		var p struct {
			Pane    string
			Version int
			Start   int64
			Key     map[string]any
			Values  map[string]any
		}
		require.NoError(t, json.Unmarshal(content, &p), string(content))
		return fmt.Sprintf("%s v%d %d %v %v", p.Pane, p.Version, p.Start/1000, p.Key, p.Values)
	case testengine.KindLate, testengine.KindRejected:
		n, _ := message.Int(m, "events")
		return strings.TrimSpace(fmt.Sprintf("%s %d %s %s", kind, n, content, message.Text(m, "reason")))
	case "":
		return "event " + string(content)
	default:
		return string(kind)
	}
}

func text(content string) *service.Message { return service.NewMessage([]byte(content)) }

// logged makes the message a record of a log.
func logged(m *service.Message, offset, at int64) *service.Message {
	m.MetaSetMut(testengine.MetaLogID, "log")
	m.MetaSetMut(testengine.MetaPartition, int64(3))
	m.MetaSetMut(testengine.MetaOffset, offset)
	m.MetaSetMut(testengine.MetaLogTime, at)
	return m
}

func tick(at int64) *service.Message {
	m := service.NewMessage(nil)
	message.Set(m, testengine.KindTick, map[string]any{})
	m.MetaSetMut(testengine.MetaLogTime, at)
	return m
}

func TestEventsOfAStreamThatIsNoLog(t *testing.T) {
	a := newAggregator(t, payments)
	require.Empty(t, process(t, a, text(`{"merchant":{"id":"m1"},"at":5,"amount":2.5}`)), "a message that leads to nothing is done")
	require.Equal(t, []string{
		"on_time v1 0 map[merchant.id:m1] map[amount:5 n:2]",
	}, process(t, a, text("{\"merchant\":{\"id\":\"m1\"},\"at\":6,\"amount\":2.5}\n{\"merchant\":{\"id\":7},\"at\":61,\"amount\":1}")))
	require.Equal(t, []string{
		"corrected v2 0 map[merchant.id:m1] map[amount:6 n:3]",
	}, process(t, a, text(`[{"merchant":{"id":"m1"},"at":7,"amount":1}]`)))
	require.Equal(t, []string{
		"on_time v1 60 map[merchant.id:7] map[amount:1 n:1]", "tick",
	}, process(t, a, tick(120_000)))
	require.Empty(t, process(t, a, text(`{"merchant":{"id":"m1"},"at":500}`)))
	require.Equal(t, []string{
		`late 1 {"merchant":{"id":"m1"},"at":8,"amount":1}`,
	}, process(t, a, text(`[{"merchant":{"id":"m1"},"at":501},{"merchant":{"id":"m1"},"at":8,"amount":1}]`)))
}

func TestBadEventsLeaveWithAReasonThatNamesTheField(t *testing.T) {
	for name, one := range map[string]struct{ in, out string }{
		"text for a number":  {`{"at":5,"amount":"2"}`, `rejected 1 {"at":5,"amount":"2"} reading amount: it is text and no number`},
		"NaN":                {`[{"at":5,"amount":1},{"at":5,"amount":NaN}]`, `rejected 1 {"at":5,"amount":NaN} reading amount: it is no finite number`},
		"an overflow":        {`{"at":5,"amount":1e999}`, `rejected 1 {"at":5,"amount":1e999} reading amount: it is no finite number`},
		"no time":            {`{"amount":1}`, `rejected 1 {"amount":1} reading at: it is missing and no number of s since 1970`},
		"an object as a key": {`{"at":5,"merchant":{"id":{}}}`, `rejected 1 {"at":5,"merchant":{"id":{}}} reading merchant.id: it is an object or array: a part of a key is text, a finite number or a truth value`},
		"no object":          {`[1,{"at":5}]`, `rejected 1 1 an event is a JSON object`},
		"torn JSON":          {`[{"at":5},{"at":`, `rejected 1 {"at": at byte 16: the JSON does not parse`},
		"several":            {`[{"at":"x"},{"at":"y"},{"at":5}]`, `rejected 2 [{"at":"x"},{"at":"y"}] reading at: it is text and no number of s since 1970`},
		"a long key":         {`{"at":5,"merchant":{"id":"` + strings.Repeat("k", 2000) + `"}}`, `rejected 1 {"at":5,"merchant":{"id":"` + strings.Repeat("k", 2000) + `"}} reading by: the key is longer than max_key_bytes`},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, []string{one.out}, process(t, newAggregator(t, payments), text(one.in)))
		})
	}
}

func TestABrokenClockClosesNoWindow(t *testing.T) {
	a := newAggregator(t, payments)
	require.Equal(t, []string{
		`rejected 1 {"at":99999999} reading at: it is 99999939000 ms after the message's own time, more than max_ahead`,
	}, process(t, a, logged(text(`{"at":99999999}`), 0, 60_000)))
	require.Equal(t, []string{"applied"}, process(t, a, logged(text(`{"at":50}`), 1, 60_000)))
	require.Len(t, process(t, a, logged(text(`{"at":60}`), 2, 60_000)), 1)
}

func TestEveryRecordOfALogYieldsAMessage(t *testing.T) {
	for name, emit := range map[string]string{"windows": "applied", "both": "event"} {
		a := newAggregator(t, payments+"emit: "+name)
		for offset, content := range []string{``, `[]`, `{"at":5}`, `{"at":70}`, `nonsense`, `{"at":7}`} {
			out := process(t, a, logged(text(content), int64(offset), 100_000))
			require.NotEmpty(t, out, content)
			if offset < 3 || name == "both" {
				require.True(t, strings.HasPrefix(out[len(out)-1], emit), "the last message of %q is %v", content, out)
			}
		}
		for _, kind := range []testengine.Kind{testengine.KindTick, testengine.KindUploadReport, testengine.KindBlock} {
			m := service.NewMessage(nil)
			message.Set(m, kind, map[string]any{})
			require.Contains(t, process(t, a, logged(m, 100, 1)), string(kind), "what is not ours passes")
		}
	}
}

func TestARecordThatIsDeliveredAgainCountsOnce(t *testing.T) {
	a := newAggregator(t, payments)
	process(t, a, logged(text(`{"at":5}`), 0, 0))
	process(t, a, logged(text(`{"at":6}`), 1, 0))
	require.Equal(t, []string{"applied"}, process(t, a, logged(text(`{"at":5}`), 0, 0)))
	require.Equal(t, []string{"on_time v1 0 map[merchant.id:<nil>] map[amount:<nil> n:2]"}, process(t, a, logged(text(`{"at":60}`), 2, 0)))
}

func TestConditionsAndMappings(t *testing.T) {
	a := newAggregator(t, `
mapping: |
  root = if this.kind == "noise" { deleted() } else { this.merge({"at": @stamp}) }
time: at
delay: 0s
window: { size: 1s }
where: [ { field: status, not_in: [ test ] } ]
aggregates:
  - { name: n, function: count }
  - { name: failed, function: count, where: [ { field: code, in: [ "500", "503" ] } ] }
  - { name: users, function: distinct, field: user }
  - { name: seen, function: count, field: user }
`)
	at := func(content string, stamp int64) *service.Message {
		m := text(content)
		m.MetaSetMut("stamp", stamp)
		return m
	}
	for _, content := range []string{`{"code":500,"user":"a"}`, `{"code":200,"user":"b"}`, `{"code":503,"user":"a"}`, `{"kind":"noise"}`, `{"status":"test"}`, `{"user":null}`} {
		require.Empty(t, process(t, a, at(content, 5)))
	}
	require.Equal(t, []string{"on_time v1 0 map[] map[failed:2 n:4 seen:3 users:2]"}, process(t, a, at(`{}`, 1000)))
	require.Contains(t, process(t, a, at(`not JSON`, 1000))[0], "rejected 1 not JSON reading mapping: ")
}

func testBlock(results ...testengine.Result) *testengine.Block {
	b := &testengine.Block{Upload: &testengine.Upload{ID: "u", Org: "acme", Suite: "web", Time: 5000, Tags: []testengine.Tag{{Key: "host.type", Value: "vm"}}}}
	for i, result := range results {
		b.Executions = append(b.Executions, testengine.Execution{Index: i, TestID: uint64(i % 2), Name: "t", Result: result, Duration: float64(i), HasDuration: true})
	}
	return b
}

const tests = `
name: tests
from: blocks
by: [ suite, host.type ]
window: { size: 10s }
delay: 0s
emit: both
aggregates:
  - { name: n, function: count }
  - { name: failures, function: sum, field: failed }
  - { name: longest, function: max, field: duration }
  - { name: tests, function: distinct, field: test_id }
`

func TestBlocksAreReadWithoutBloblang(t *testing.T) {
	a := newAggregator(t, tests)
	m := service.NewMessage(nil)
	message.Set(m, testengine.KindBlock, testBlock(testengine.ResultFailed, testengine.ResultPassed, testengine.ResultFailed))
	require.Equal(t, []string{"block"}, process(t, a, logged(m, 0, 5000)))

	report := service.NewMessage(nil)
	message.Set(report, testengine.KindUploadReport, &testengine.UploadReport{})
	require.Equal(t, []string{"upload_report"}, process(t, a, logged(report, 0, 5000)))

	late := testBlock(testengine.ResultPassed, testengine.ResultFailed)
	late.Executions[0].StartedAt, late.Executions[1].StartedAt = 400_000, 6000
	late.Annotations = &testengine.Annotations{
		OwnerNames: []string{"a", "b"}, Owners: []int32{0, 1},
		Signatures: map[int]testengine.Signature{1: {Message: 9}}, Executions: map[int][]testengine.Tag{1: {{Key: "k", Value: "v"}}},
	}
	m = service.NewMessage(nil)
	message.Set(m, testengine.KindBlock, late)
	out := process(t, a, logged(m, 1, 400_000))
	require.Equal(t, []string{"block", "on_time v1 0 map[host.type:vm suite:web] map[failures:3 longest:2 n:4 tests:2]"}, out)

	m = service.NewMessage(nil)
	message.Set(m, testengine.KindBlock, late)
	batch, err := a.Process(t.Context(), logged(m, 2, 400_000))
	require.NoError(t, err)
	require.Len(t, batch, 2)
	require.Equal(t, testengine.KindLate, message.Kind(batch[1]))
	left, err := message.Get[testengine.Block](batch[1])
	require.NoError(t, err)
	require.Len(t, left.Executions, 1)
	require.Equal(t, "b", left.Owner(0))
	require.EqualValues(t, 9, left.Annotations.Signatures[0].Message)
	require.Equal(t, late.Annotations.Executions[1], left.Annotations.Executions[0])
	require.Len(t, late.Executions, 2, "blocks are not changed")
}

func TestConfigurationsThatMakeNoSenseAreRefused(t *testing.T) {
	for part, yaml := range map[string]string{
		"slide":               `{window: {type: sliding, size: 1m, slide: 7s}, aggregates: [{name: n, function: count}]}`,
		"whole milliseconds":  `{window: {size: 1ns}, aggregates: [{name: n, function: count}]}`,
		"needs a field":       `{aggregates: [{name: n, function: sum}]}`,
		"either in or not_in": `{aggregates: [{name: n, function: count}], where: [{field: x}]}`,
		"fields of their own": `{from: blocks, mapping: "root = this", aggregates: [{name: n, function: count}]}`,
		"1 to 50":             `{aggregates: []}`,
		"must be at least 1":  `{panes_per_message: 0, aggregates: [{name: n, function: count}]}`,
	} {
		conf, err := aggregateSpec().ParseYAML(yaml, nil)
		require.NoError(t, err, part)
		_, err = aggregatorFromParsed(conf, service.MockResources())
		require.ErrorContains(t, err, part)
	}
}

func TestArraysOfPanesAreBoundByCountAndBytes(t *testing.T) {
	for _, test := range []struct {
		name, limits string
		want         []int // panes in each message
	}{
		{"all that may be in one are", "panes_per_message: 100", []int{20}},
		{"no more than may be in one", "panes_per_message: 8", []int{8, 8, 4}},
		{"no more than its bytes", "panes_per_message: 100\nmax_message_bytes: 1KB", []int{4, 4, 4, 4, 4}},
		{"one that is too large alone leaves alone", "panes_per_message: 100\nmax_message_bytes: 10B", []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newAggregator(t, payments+test.limits)
			for merchant := range 20 {
				require.Empty(t, process(t, a, text(fmt.Sprintf(`{"merchant":{"id":"shop-%02d"},"at":1764000000,"amount":5}`, merchant))))
			}
			out, err := a.Process(t.Context(), text(`{"merchant":{"id":"shop-99"},"at":1764000600,"amount":5}`))
			require.NoError(t, err)
			var counts []int
			for _, m := range out {
				content, err := m.AsBytes()
				require.NoError(t, err)
				var said []map[string]any
				require.NoError(t, json.Unmarshal(content, &said))
				if counts = append(counts, len(said)); len(said) > 1 {
					require.LessOrEqual(t, int64(len(content)), a.paneBytes)
				}
			}
			require.Equal(t, test.want, counts)
		})
	}
}
