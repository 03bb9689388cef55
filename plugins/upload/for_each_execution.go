package upload

import (
	"context"
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

const (
	eachFieldProcessors = "processors"

	// metaPlace names, on a child message, the execution it was made of.
	metaPlace = "testengine_execution_place"
)

func init() {
	service.MustRegisterProcessor("for_each_execution", eachSpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.Processor, error) {
			processors, err := conf.FieldProcessorList(eachFieldProcessors)
			if err != nil {
				return nil, err
			}
			return &forEach{
				processors: processors,
				problems:   res.Metrics().NewCounter("testengine_annotation_problems_total", "reason"),
			}, nil
		})
}

func eachSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Test Engine", "Composition").
		Summary("Runs ordinary processors on the single executions of a block, and keeps what they add as annotations.").
		Description(`
Each execution of a block becomes a JSON object of its own with the keys `+"`index`, `test_id`, `scope`, `name`, `location`, `file_name`, `result`, `duration`, `failure_reason`, `failure_expanded`, `history`, `external_id`, `suite_error`, `tags` (an object), `extra` (unknown keys of the collector), `annotations` (an object: what was annotated before) and `upload`"+` (the facts and tags that all executions share). The metadata of the block (`+"`org`, `suite`, `run_key`, `branch`"+` and so on) is there too. All executions of a block run through the processors as one batch.

Afterwards the block has its executions back, in their order and unchanged: **processors can only annotate**. What counts is the object `+"`annotations`, and keys of `tags`"+` that are new or changed: both become annotations of the execution, beside those it has. Numbers and booleans are written as text; what is neither, a key of more than 63 or a value of more than 1024 bytes, and more than 32 annotations of one execution are left out and counted. Everything else that is changed is ignored, because detection reads the facts that decoding has sealed.

An execution whose message is deleted, filtered away or fails gets no annotation and stays in the block: nothing is ever lost here. Messages that are no blocks pass unchanged.

### Metrics

- `+"`testengine_annotation_problems_total`"+` with label `+"`reason`"+`: failed, not_an_object, left_out.
`).
		Field(service.NewProcessorListField(eachFieldProcessors).
			Description("The processors to run on each execution.")).
		Example("A team for each execution",
			"The first folder of the file says which team to ask.",
			`
pipeline:
  processors:
    - label: name_teams
      for_each_execution:
        processors:
          - label: name_team
            mapping: |
              root = this
              root.annotations.team = this.file_name.or("").split("/").index(0)
`)
}

type forEach struct {
	processors []*service.OwnedProcessor
	problems   *service.MetricCounter
}

// Process implements service.Processor.
func (f *forEach) Process(ctx context.Context, m *service.Message) (service.MessageBatch, error) {
	if message.Kind(m) != testengine.KindBlock || len(f.processors) == 0 {
		return service.MessageBatch{m}, nil
	}
	block, err := message.Get[testengine.Block](m)
	if err != nil {
		return nil, fmt.Errorf("reading the block: %w", err)
	}
	children := make(service.MessageBatch, len(block.Executions))
	upload := uploadObject(block.Upload)
	for i := range block.Executions {
		child := m.Copy()
		child.SetStructured(executionObject(block, i, upload))
		child.MetaSetMut(metaPlace, int64(i))
		children[i] = child
	}
	batches, err := service.ExecuteProcessors(ctx, f.processors, children)
	if err != nil {
		return nil, fmt.Errorf("running the processors of for_each_execution: %w", err)
	}
	annotated := f.collect(block, batches)
	if annotated == nil {
		return service.MessageBatch{m}, nil
	}
	out := m.Copy()
	message.Set(out, testengine.KindBlock, annotated)
	return service.MessageBatch{out}, nil
}

// collect returns the block with what the children were annotated with, or nil
// when nothing was.
func (f *forEach) collect(block *testengine.Block, batches []service.MessageBatch) *testengine.Block {
	found := make(map[int][]testengine.Tag)
	counts := make(map[string]int64)
	for _, batch := range batches {
		for _, child := range batch {
			f.collectChild(block, child, found, counts)
		}
	}
	for reason, n := range counts {
		f.problems.Incr(n, reason)
	}
	if len(found) == 0 {
		return nil
	}
	return withAnnotations(block, found)
}

func (*forEach) collectChild(block *testengine.Block, child *service.Message, found map[int][]testengine.Tag, counts map[string]int64) {
	place, ok := message.Int(child, metaPlace)
	if !ok || place < 0 || int(place) >= len(block.Executions) {
		counts["left_out"]++
		return
	}
	if child.GetError() != nil {
		counts["failed"]++
		return
	}
	structured, err := child.AsStructured()
	object, isObject := structured.(map[string]any)
	if err != nil || !isObject {
		counts["not_an_object"]++
		return
	}
	i := int(place)
	tags, leftOut := annotationsOf(object, &block.Executions[i])
	counts["left_out"] += leftOut
	if len(tags) > 0 {
		found[i] = merged(found[i], tags)
	}
}

// Close implements service.Processor.
func (f *forEach) Close(ctx context.Context) error {
	for _, processor := range f.processors {
		if err := processor.Close(ctx); err != nil {
			return err
		}
	}
	return nil
}
