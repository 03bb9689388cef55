//go:build synctests

package kafka

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// simCopyOf is the header of a copy that says where it comes from.
const simCopyOf = "copy_of"

// simCopies are workers that copy the log to a topic without a transaction: at
// least once, and nothing overtakes (rule 24).
func simCopies() simKind {
	return simKind{
		equip: equipCopies,
		process: func(_ *simWorker, batch service.MessageBatch) (service.MessageBatch, bool) {
			for _, m := range batch {
				body, _ := m.AsBytes()
				at, _ := message.Position(m)
				m.MetaSetMut(simCopyOf, simPlace(at.Offset, body))
			}
			return batch, false
		},
		write: func(k *simWorker, out service.MessageBatch) error { return k.output.WriteBatch(k.ctx, out) },
		check: (*simWorld).checkCopies,
	}
}

func equipCopies(k *simWorker, mgr *service.Resources) (kafkalog.Options, error) {
	options := k.options(mgr)
	options.CommitInterval = simCommits
	return options, k.writes(mgr, map[string]string{string(testengine.KindUpload): "results"})
}

// writes gives a worker an output without a transaction.
func (k *simWorker) writes(mgr *service.Resources, topics map[string]string) error {
	k.output = k.blocks(mgr)
	k.output.config.topics = topics
	client, err := kgo.NewClient(append(k.client(), kgo.RecordPartitioner(kafkalog.Placed()), kgo.DisableClientMetrics(),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(0), kgo.UnknownTopicRetries(1))...)
	if err != nil {
		return err
	}
	k.output.client, k.output.writer = client, kafkalog.NewWriter(client, mgr.Logger())
	return nil
}

// checkCopies holds the copies against the log: without the repeats they are its
// records, in its order. So no record is read before an earlier one for the first time.
func (w *simWorld) checkCopies() {
	log, copies := w.read("uploads"), w.read("results")
	for partition := range simPartitions {
		var want, have []string
		for _, r := range log[partition] {
			want = append(want, simPlace(r.Offset, r.Value))
		}
		seen := map[string]bool{}
		for _, r := range copies[partition] {
			if from := header(r, simCopyOf); !seen[from] {
				seen[from] = true
				have = append(have, from)
			}
		}
		w.compareTexts("the copies", partition, want, have)
	}
}
