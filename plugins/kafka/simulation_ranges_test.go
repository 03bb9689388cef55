//go:build synctests

package kafka

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// simObjects is a store that knows nothing but names, as a bucket: the first
// object of a name stays. A name is a range.
type simObjects map[simRange][]string

type simRange struct {
	partition  int
	begin, end int64
}

// simRanges are workers that hand ranges of the log to a store (rule 25).
func simRanges() simKind {
	return simKind{
		equip: func(k *simWorker, mgr *service.Resources) (kafkalog.Options, error) {
			options := k.options(mgr)
			options.Ranges = kafkalog.RangeLimit{Rows: 4, Bytes: 1 << 10, Period: 700 * time.Millisecond}
			return options, nil
		},
		process: func(_ *simWorker, batch service.MessageBatch) (service.MessageBatch, bool) { return batch, false },
		write:   func(k *simWorker, out service.MessageBatch) error { return k.world.store(out) },
		check:   (*simWorld).checkObjects,
	}
}

// store keeps a range whole. It happens at once, as a conditional write does.
func (w *simWorld) store(batch service.MessageBatch) error {
	at, _ := message.Position(batch[0])
	begin, _ := message.Int(batch[0], testengine.MetaRangeBegin)
	end, _ := message.Int(batch[0], testengine.MetaRangeEnd)
	name := simRange{at.Partition, begin, end}
	content := make([]string, 0, len(batch))
	for _, m := range batch {
		at, _ := message.Position(m)
		body, err := m.AsBytes()
		if err != nil {
			return err
		}
		content = append(content, simPlace(at.Offset, body))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.objects == nil {
		w.objects = make(simObjects)
	}
	if before, taken := w.objects[name]; taken {
		if !slices.Equal(before, content) {
			w.problems = append(w.problems, fmt.Sprintf("range %v was handed out with other records than before", name))
		}
		return nil
	}
	w.objects[name] = content
	return nil
}

func simPlace(offset int64, body []byte) string {
	return strconv.FormatInt(offset, 10) + " " + string(body)
}

// checkObjects holds the store against the log: its ranges follow on each other,
// none lies in another, and together they are the committed records.
func (w *simWorld) checkObjects() {
	log := w.read("uploads")
	names := make([][]simRange, simPartitions)
	for name := range w.objects {
		names[name.partition] = append(names[name.partition], name)
	}
	for partition := range simPartitions {
		slices.SortFunc(names[partition], func(a, b simRange) int { return cmp.Compare(a.begin, b.begin) })
		next, have := int64(0), []string{}
		for _, name := range names[partition] {
			if name.begin < next {
				w.wrong("range %v of the store begins before offset %d, where the one before it ends", name, next)
			}
			next = max(next, name.end)
			have = append(have, w.objects[name]...)
		}
		var want []string
		for _, r := range log[partition] {
			want = append(want, simPlace(r.Offset, r.Value))
		}
		w.compareTexts("the store", partition, want, have)
	}
}

// compareTexts says at the first difference what is wrong.
func (w *simWorld) compareTexts(where string, partition int, want, have []string) {
	records := make([]*kgo.Record, len(have))
	for i, text := range have {
		records[i] = &kgo.Record{Value: []byte(text)}
	}
	w.compare(where, partition, want, records)
}
