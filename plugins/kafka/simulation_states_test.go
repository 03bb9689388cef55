//go:build synctests

package kafka

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// simStates are workers with state and without a transaction: what is done again
// says the same again, and the state is that of the log (rules 13 and 24).
func simStates() simKind {
	return simKind{
		equip: func(k *simWorker, mgr *service.Resources) (kafkalog.Options, error) {
			options, err := equipState(k, mgr)
			if err != nil {
				return options, err
			}
			options.CommitInterval = simCommits
			return options, k.writes(mgr, simTopics())
		},
		process: simApply,
		write:   func(k *simWorker, out service.MessageBatch) error { return k.output.WriteBatch(k.ctx, out) },
		check:   (*simWorld).checkStates,
		timers:  true,
	}
}

// checkStates holds what came out, without the repeats, against the fold of the log.
func (w *simWorld) checkStates() {
	log, results, runs := w.read("uploads"), w.read("results"), w.read("runs")
	for partition := range simPartitions {
		fold := newSimFold()
		for _, r := range log[partition] {
			fold.take(r, false)
		}
		w.compareTexts("results", partition, fold.outputs[testengine.KindUploadReport], firstSights(results[partition]))
		w.compareTexts("runs", partition, fold.outputs[testengine.KindRun], firstSights(runs[partition]))
	}
	w.audit(log)
}

// firstSights are the contents of records, each where it stands first.
func firstSights(records []*kgo.Record) (texts []string) {
	seen := map[string]bool{}
	for _, r := range records {
		if text := string(r.Value); !seen[text] {
			seen[text] = true
			texts = append(texts, text)
		}
	}
	return texts
}
