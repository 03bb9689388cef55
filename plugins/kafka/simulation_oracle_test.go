//go:build synctests

package kafka

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// oracleMemory is what a *state.Table does, without files.
type oracleMemory struct {
	time   int64
	cells  map[uint64]uint64
	timers map[uint64]int64
}

func newOracleMemory() *oracleMemory {
	return &oracleMemory{cells: map[uint64]uint64{}, timers: map[uint64]int64{}}
}

func (m *oracleMemory) Time() int64                                     { return m.time }
func (m *oracleMemory) Cell(key uint64) (uint64, bool)                  { cell, ok := m.cells[key]; return cell, ok }
func (m *oracleMemory) SetCell(key, cell uint64)                        { m.cells[key] = cell }
func (m *oracleMemory) Delete(key uint64)                               { delete(m.cells, key) }
func (m *oracleMemory) SetTimer(id uint64, due int64)                   { m.timers[id] = due }
func (m *oracleMemory) CancelTimer(id uint64)                           { delete(m.timers, id) }
func (m *oracleMemory) Range(func(key, cell uint64, value []byte) bool) { panic("not of use here") }

func (m *oracleMemory) Due(at int64) (id uint64, due int64, ok bool) {
	for i, d := range m.timers {
		if d <= at && (!ok || cmp.Or(cmp.Compare(d, due), cmp.Compare(i, id)) < 0) {
			id, due, ok = i, d, true
		}
	}
	return id, due, ok
}

// simFold is the state of one partition and what its records gave.
type simFold struct {
	known, counts *oracleMemory
	outputs       map[testengine.Kind][]string
}

func newSimFold() *simFold {
	return &simFold{known: newOracleMemory(), counts: newOracleMemory(), outputs: map[testengine.Kind][]string{}}
}

// take applies one record; the outputs of one that is dead are left out.
func (f *simFold) take(r *kgo.Record, dead bool) {
	at := max(f.counts.time, r.Timestamp.UnixMilli())
	f.known.time, f.counts.time = at, at
	upload := header(r, testengine.MetaKind) == string(testengine.KindUpload)
	body := string(r.Value)
	known := upload && f.remember(simKey(upload, body), r.Offset)
	outputs := simFire(f.counts)
	if upload && !known {
		outputs = append(outputs, simCount(f.counts, body)...)
	}
	for _, o := range outputs {
		if !dead {
			f.outputs[o.kind] = append(f.outputs[o.kind], o.content)
		}
	}
}

func (f *simFold) remember(key uint64, offset int64) bool {
	if _, known := f.known.cells[key]; known {
		return true
	}
	f.known.cells[key] = uint64(offset)
	return false
}

// read returns what a reader of committed records sees of a topic, by partition.
func (w *simWorld) read(topic string) (records [simPartitions][]*kgo.Record) {
	ends, err := kadm.NewClient(w.client).ListCommittedOffsets(context.Background(), topic)
	if err != nil {
		w.wrong("the world cannot read %s: %v", topic, err)
		return records
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	reader, err := kgo.NewClient(w.reliable(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())...)
	if err != nil {
		w.wrong("the world cannot read %s: %v", topic, err)
		return records
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for len(left) > 0 {
		fetches := reader.PollFetches(ctx)
		if ctx.Err() != nil {
			w.wrong("the world cannot read %s to its end: %v are left", topic, left)
			return records
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				records[r.Partition] = append(records[r.Partition], r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return records
}

// check holds what came out against the fold of the log.
func (w *simWorld) check() (folds [simPartitions]*simFold, log [simPartitions][]*kgo.Record) {
	log = w.read("uploads")
	dead := w.deadLetters(log)
	results, runs := w.read("results"), w.read("runs")
	for partition := range simPartitions {
		fold := newSimFold()
		for _, r := range log[partition] {
			fold.take(r, dead[[2]int64{int64(partition), r.Offset}])
		}
		folds[partition] = fold
		w.compare("results", partition, fold.outputs[testengine.KindUploadReport], results[partition])
		w.compare("runs", partition, fold.outputs[testengine.KindRun], runs[partition])
		if _, _, ok := fold.counts.Due(math.MaxInt64); ok {
			w.wrong("runs of partition %d were never closed: no tick came", partition)
		}
	}
	return folds, log
}

// deadLetters are the records whose outputs are left out: each once, and none that is good.
func (w *simWorld) deadLetters(log [simPartitions][]*kgo.Record) map[[2]int64]bool {
	dead := map[[2]int64]bool{}
	for _, letters := range w.read("dead_letters") {
		for _, r := range letters {
			partition, _ := strconv.ParseInt(header(r, "dead_letter_partition"), 10, 64)
			offset, _ := strconv.ParseInt(header(r, "dead_letter_offset"), 10, 64)
			at := [2]int64{partition, offset}
			if dead[at] {
				w.wrong("record %d of partition %d went to the dead letters twice", offset, partition)
			}
			if !isPoison(r) {
				w.wrong("record %d of partition %d went to the dead letters, and nothing is wrong with it: %s", offset, partition, header(r, "dead_letter_reason"))
			}
			dead[at] = true
		}
	}
	for partition, records := range log {
		for _, r := range records {
			if isPoison(r) && !dead[[2]int64{int64(partition), r.Offset}] {
				w.wrong("record %d of partition %d did not go to the dead letters", r.Offset, partition)
			}
		}
	}
	return dead
}

func isPoison(r *kgo.Record) bool {
	return len(r.Value) > len(simPoison) && string(r.Value[:len(simPoison)]) == simPoison
}

func (w *simWorld) compare(topic string, partition int, want []string, have []*kgo.Record) {
	for i := range max(len(want), len(have)) {
		switch {
		case i >= len(have):
			w.wrong("%s partition %d lost %q: %d of %d records are there", topic, partition, want[i], len(have), len(want))
			return
		case i >= len(want):
			w.wrong("%s partition %d has %q too many: %d records for %d", topic, partition, have[i].Value, len(have), len(want))
			return
		case string(have[i].Value) != want[i]:
			w.wrong("%s partition %d record %d is %q instead of %q", topic, partition, i, have[i].Value, want[i])
			return
		}
	}
}

// audit restores the state from every disk: wherever it stands, it is the fold
// of the log up to there.
func (w *simWorld) audit(log [simPartitions][]*kgo.Record) {
	topic := w.cluster.TopicInfo("uploads").TopicID
	id, committed := base64.RawURLEncoding.EncodeToString(topic[:]), w.committed()
	for _, n := range w.nodes {
		store, err := state.Open(n.disk, state.Options{Dir: "state", Pipeline: simGroup})
		if err != nil {
			w.wrong("opening the state of %s: %v", n.name, err)
			continue
		}
		for partition := range simPartitions {
			if err := w.auditPartition(store, partition, id, committed[partition], log[partition]); err != nil {
				w.wrong("the state of partition %d on %s: %v", partition, n.name, err)
			}
		}
		_ = store.Close(context.Background())
	}
}

func (w *simWorld) auditPartition(store *state.Store, partition int, id string, committed int64, log []*kgo.Record) error {
	next, err := store.Restore(context.Background(), testengine.LogIdentity{ID: id, Partitions: simPartitions}, partition, 0, committed)
	if err != nil {
		return err
	}
	if next == 0 {
		return nil
	}
	table, err := store.Table(context.Background(), "counts", partition, "v1")
	if err != nil {
		return err
	}
	fold := newSimFold()
	for _, r := range log {
		if r.Offset < next {
			fold.take(r, false)
		}
	}
	have := map[uint64]uint64{}
	table.Range(func(key, cell uint64, _ []byte) bool { have[key] = cell; return true })
	if !equalCells(have, fold.counts.cells) {
		return fmt.Errorf("at record %d it is not the fold of the log", next)
	}
	return nil
}

func equalCells(a, b map[uint64]uint64) bool {
	keys := func(m map[uint64]uint64) (all []string) {
		for key, cell := range m {
			all = append(all, fmt.Sprint(key, cell))
		}
		slices.Sort(all)
		return all
	}
	return slices.Equal(keys(a), keys(b))
}

var _ = kafkalog.Placed
