package window

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/tests/cputime"
)

const benchAggregates = `
aggregates:
  - { name: n, function: count }
  - { name: sum, function: sum, field: %[1]s }
  - { name: least, function: min, field: %[1]s }
  - { name: most, function: max, field: %[1]s }
  - { name: mean, function: avg, field: %[1]s }
`

const benchSketches = `
  - { name: p, function: percentiles, field: %[1]s, percentiles: [ 50, 99 ] }
`

// benchEvents is how many events a message has.
const benchEvents = 2000

// BenchmarkProcess is the whole processor: messages of 2,000 events are read,
// aggregated in windows of a minute, and written to the state (in memory) at the
// end of their record. Time moves on by 20 ms a message. Allocations are those of
// a message.
func BenchmarkProcess(b *testing.B) {
	json := "by: [ merchant.id ]\ntime: at\nwindow: { size: 1m }\nlateness: 0s\nmax_windows: 20000000\npanes_per_message: 1000\n" + benchAggregates
	blocks := "from: blocks\nby: [ suite, host.type, name ]\nwindow: { size: 1m }\nlateness: 0s\nmax_windows: 20000000\npanes_per_message: 1000\n" + benchAggregates
	for _, one := range []struct {
		name, yaml string
		keys       int
		make       func(r *rand.Rand, keys int, at int64) *service.Message
	}{
		{"JSON, 10K keys", fmt.Sprintf(json, "amount"), 10_000, jsonMessage},
		{"JSON, 10K keys, percentiles", fmt.Sprintf(json+benchSketches, "amount"), 10_000, jsonMessage},
		{"JSON, 5M keys", fmt.Sprintf(json, "amount"), 5_000_000, jsonMessage},
		{"blocks, 10K keys", fmt.Sprintf(blocks, "duration"), 10_000, blockMessage},
		{"blocks, 5M keys", fmt.Sprintf(blocks, "duration"), 5_000_000, blockMessage},
	} {
		b.Run(one.name, func(b *testing.B) {
			a := newAggregator(b, one.yaml)
			random := rand.New(rand.NewPCG(1, 1))
			offset, panes := int64(0), 0
			messages := make([]*service.Message, 200)
			fill := func() {
				for i := range messages {
					messages[i] = logged(one.make(random, one.keys, 1_000_000_000+20*offset), offset, 1_000_000_000+20*offset)
					offset++
				}
			}
			process := func(m *service.Message) {
				out, err := a.Process(b.Context(), m)
				if err != nil {
					b.Fatal(err)
				}
				panes += len(out) - 1
			}
			for range min(2*one.keys, 4_000_000) / benchEvents / len(messages) {
				fill()
				for _, m := range messages {
					process(m)
				}
			}
			panes = 0
			b.ReportAllocs()
			b.ResetTimer()
			var used time.Duration
			for i := range b.N {
				if i%len(messages) == 0 {
					b.StopTimer()
					fill()
					b.StartTimer()
				}
				before := cputime.Used(b)
				process(messages[i%len(messages)])
				used += cputime.Used(b) - before
			}
			b.ReportMetric(float64(used)/float64(b.N)/benchEvents, "cpu-ns/event")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchEvents, "ns/event")
		})
	}
}

func jsonMessage(r *rand.Rand, keys int, at int64) *service.Message {
	content := []byte{'['}
	for i := range benchEvents {
		if i > 0 {
			content = append(content, ',')
		}
		content = append(content, `{"id":"pay_0123456789abcdef","merchant":{"id":"m`...)
		content = strconv.AppendInt(content, int64(r.IntN(keys)), 10)
		content = append(content, `","country":"DE"},"amount":`...)
		content = strconv.AppendFloat(content, float64(r.IntN(100_000))/100, 'f', 2, 64)
		content = append(content, `,"currency":"EUR","status":"settled","at":`...)
		content = append(strconv.AppendInt(content, at+int64(r.IntN(20)), 10), '}')
	}
	return service.NewMessage(append(content, ']'))
}

func blockMessage(r *rand.Rand, keys int, at int64) *service.Message {
	block := &testengine.Block{Upload: &testengine.Upload{ID: "u", Org: "acme", Suite: "web", Time: at, Tags: []testengine.Tag{{Key: "host.type", Value: "vm"}}}}
	for i := range benchEvents {
		block.Executions = append(block.Executions, testengine.Execution{
			Index: i, Scope: "Cart", Name: "test " + strconv.Itoa(r.IntN(keys)), Result: testengine.ResultPassed,
			Duration: float64(r.IntN(1000)) / 100, HasDuration: true,
		})
	}
	m := service.NewMessage(nil)
	message.Set(m, testengine.KindBlock, block)
	return m
}
