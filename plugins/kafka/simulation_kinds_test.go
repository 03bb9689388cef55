//go:build synctests

package kafka

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/depot"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const (
	simTimeout   = 4 * time.Second
	simPoison    = "poison"
	simSnapshots = 700 * time.Millisecond
	simUploads   = 1700 * time.Millisecond
)

// simKind is what the workers of a world are, and what must come of them.
type simKind struct {
	// equip gives a worker what it has beside its input.
	equip func(k *simWorker, mgr *service.Resources) (kafkalog.Options, error)
	// process is the processors; bad says that the output will refuse the batch.
	process func(k *simWorker, batch service.MessageBatch) (out service.MessageBatch, bad bool)
	write   func(k *simWorker, out service.MessageBatch) error
	// check holds what came out against the log.
	check func(w *simWorld)
	// clocks says that in one seed of four records have the times of their writers,
	// whose clocks differ: T is that of an earlier record more often than not.
	clocks bool
	// timers says that the log needs ticks until the last timer has fired.
	timers bool
}

// simTransactions are workers with state whose outputs and offsets are one
// transaction a cycle.
func simTransactions() simKind {
	return simKind{
		equip: equipTransactions,
		process: func(k *simWorker, batch service.MessageBatch) (out service.MessageBatch, bad bool) {
			for _, m := range batch {
				content, _ := m.AsBytes()
				bad = bad || strings.HasPrefix(string(content), simPoison) && !message.Silent(m)
			}
			out, ended := simApply(k, batch)
			return out, bad || ended
		},
		write: func(k *simWorker, out service.MessageBatch) error { return k.output.WriteBatch(k.ctx, out) },
		check: func(w *simWorld) {
			_, log := w.check()
			w.audit(log)
		},
		clocks: true, timers: true,
	}
}

// clock is what a writer takes for now.
func (w *simWorld) clock(random *rand.Rand) time.Time {
	if !w.created {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(random.Int64N(int64(3*time.Second))) - 2*time.Second)
}

// simApply is the pipeline; ended says that the process died in it.
func simApply(k *simWorker, batch service.MessageBatch) (out service.MessageBatch, ended bool) {
	for _, m := range batch {
		if !k.process.passage(k.process.dead) {
			return nil, true
		}
		out = append(out, k.pipeline.process(k.ctx, m)...)
	}
	return out, false
}

func equipTransactions(k *simWorker, mgr *service.Resources) (kafkalog.Options, error) {
	options, err := equipState(k, mgr)
	if err != nil {
		return options, err
	}
	options.Cycle, options.AbortAfter = 60*time.Millisecond, 1500*time.Millisecond
	options.Transaction = &kafkalog.Transaction{
		ID: simGroup + "/" + simGroup + "/" + k.node.name, Group: simGroup, InstanceID: k.node.name, Timeout: simTimeout,
		Client: k.client(), Producer: []kgo.Opt{kgo.RecordPartitioner(kafkalog.Placed()), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(0)},
	}
	k.output = k.blocks(mgr)
	k.output.transaction, k.output.config.transaction = options.Transaction, "transaction"
	k.output.config.topics = simTopics()
	return options, nil
}

func simTopics() map[string]string {
	return map[string]string{string(testengine.KindUploadReport): "results", string(testengine.KindRun): "runs"}
}

// equipState gives a worker state, in files and in the depot that all share.
func equipState(k *simWorker, mgr *service.Resources) (options kafkalog.Options, err error) {
	directory, err := depot.NewDirectory(simDisk{k.world.shared, k.process}, "depot")
	if err != nil {
		return options, err
	}
	k.store, err = state.Open(simDisk{k.node.disk, k.process}, state.Options{
		Dir: "state", SegmentBytes: 4 << 10, MergeBytes: 8 << 10, Pipeline: simGroup, Depot: directory,
		Process: k.world.word(), Now: time.Now, Warn: func(text string) { mgr.Logger().Warn(text) },
	})
	if err != nil {
		return options, err
	}
	k.every(simSnapshots, k.store.Run)
	k.every(simUploads, k.store.RunUploads)
	k.pipeline = newSimPipeline(k.store, mgr, k.world.wrong)
	options = k.options(mgr)
	options.Follower, options.Tick = k.store, k.input.reader.tick
	return options, nil
}

// blocks is an output that writes to the partition a message came from.
func (*simWorker) blocks(mgr *service.Resources) *kafkaBlocks {
	return &kafkaBlocks{
		config:   kafkaBlocksConfig{copartition: true, format: formatRaw},
		producer: kafkaProducer{recordBytes: 1 << 20}, mgr: mgr, log: mgr.Logger(),
		records: mgr.Metrics().NewCounter("records"), dead: mgr.Metrics().NewCounter("dead", "reason"),
	}
}
