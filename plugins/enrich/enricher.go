package enrich

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/enrich/core"
	"github.com/connect-testengine/connect-testengine/plugins/enrich/signature"
	"github.com/connect-testengine/connect-testengine/plugins/message"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
)

// enricher is the processor. Threads share it: what it remembers is behind locks
// that are taken once for each file of a block.
type enricher struct {
	config  enrichConfig
	owners  *ownersFile // nil without a file
	sent    *uploadedOwners
	lookups []*metadata

	executions *service.MetricCounter
	signatures *service.MetricCounter
	log        *service.Logger

	stop    context.CancelFunc
	workers sync.WaitGroup
}

// closeTimeout bounds the wait for a source that does not answer.
const closeTimeout = time.Second

func newEnricher(config enrichConfig, res *service.Resources) (*enricher, error) {
	e := &enricher{
		config:     config,
		log:        res.Logger(),
		executions: res.Metrics().NewCounter("testengine_enrich_executions_total"),
		signatures: res.Metrics().NewCounter("testengine_enrich_signatures_total"),
	}
	watch := &watcher{logger: res.Logger(), reloads: res.Metrics().NewCounter("testengine_enrich_reloads_total", "file", "result")}
	if config.ownersFile != "" {
		e.owners = newOwnersFile(res.Logger())
		if err := watch.add("owners", config.ownersFile, e.owners.load); err != nil {
			return nil, err
		}
	}
	var err error
	if e.sent, err = newUploadedOwners(config.ownersFolder, res.Logger()); err != nil {
		return nil, err
	}
	counter := res.Metrics().NewCounter("testengine_enrich_lookups_total", "lookup", "result")
	for _, l := range config.lookups {
		m, err := newMetadata(l, res, counter, watch)
		if err != nil {
			return nil, err
		}
		e.lookups = append(e.lookups, m)
	}
	var ctx context.Context
	ctx, e.stop = context.WithCancel(context.Background())
	e.workers.Go(func() { watch.run(ctx, config.reloadEvery) })
	for _, m := range e.lookups {
		m.start(ctx, &e.workers)
	}
	return e, nil
}

// Process implements service.Processor: one message in, one out.
func (e *enricher) Process(_ context.Context, m *service.Message) (service.MessageBatch, error) {
	defer message.Died(e.log, "execution_enrich", m)
	switch message.Kind(m) {
	case testengine.KindBlock:
		block, err := message.Get[testengine.Block](m)
		if err != nil {
			return nil, err
		}
		message.Set(m, testengine.KindBlock, e.block(m, block))
	case testengine.KindVerdict:
		verdict, err := message.Get[testengine.Verdict](m)
		if err != nil {
			return nil, err
		}
		if rules := e.ownersOf(verdict.Org, verdict.Suite); rules != nil {
			if owner := rules.owner(verdict.File); owner != "" {
				owned := *verdict
				owned.Owner = owner
				message.Set(m, testengine.KindVerdict, &owned)
			}
		}
	case testengine.KindChange:
		change, err := message.Get[testengine.Change](m)
		if err != nil {
			return nil, err
		}
		if err := e.sent.take(change); err != nil {
			e.sent.logger.Warnf("The owners stay as they were: %v", err)
		}
	default:
	}
	return service.MessageBatch{m}, nil
}

// ownersOf is the file that the suite's CI has sent, or that of the pipeline; nil
// when there is neither.
func (e *enricher) ownersOf(org, suite string) *ownersFile {
	if sent := e.sent.of(org, suite); sent != nil {
		return sent
	}
	return e.owners
}

// block returns an annotated copy that shares the executions.
func (e *enricher) block(m *service.Message, block *testengine.Block) *testengine.Block {
	out := *block
	annotations := testengine.Annotations{}
	if block.Annotations != nil {
		annotations = *block.Annotations
	}
	out.Annotations = &annotations
	if block.Upload == nil {
		return &out
	}
	annotations.Tags = e.tags(m, block.Upload, annotations.Tags)
	e.annotateFiles(block, &annotations)
	if e.config.signatures {
		e.sign(block, &annotations)
	}
	e.executions.Incr(int64(len(block.Executions)))
	return &out
}

// tags joins core tags and what lookups know to the annotations that are there.
func (e *enricher) tags(m *service.Message, upload *testengine.Upload, before []testengine.Tag) []testengine.Tag {
	tags := slices.Clone(before)
	if e.config.coreTags {
		tags = core.Merge(tags, core.Tags(upload)...)
	}
	for _, l := range e.lookups {
		for _, tag := range l.tags(m) {
			if _, sent := upload.Tag(tag.Key); !sent {
				tags = core.Merge(tags, tag)
			}
		}
	}
	return tags
}

// fileFacts is what holds for all executions of one file of a block.
type fileFacts struct {
	owner int32
	tags  []testengine.Tag
}

// touched is how many executions testengine.Touch reads ahead.
const touched = 64

// annotateFiles adds owners and paths. Every file is looked at once a block.
func (e *enricher) annotateFiles(block *testengine.Block, a *testengine.Annotations) {
	rules := e.ownersOf(block.Upload.Org, block.Upload.Suite)
	if rules == nil && !e.config.paths {
		return
	}
	files := fileTable{enricher: e, owners: rules, upload: block.Upload, known: map[string]fileFacts{}}
	if rules != nil {
		files.names, a.Owners = slices.Clone(a.OwnerNames), make([]int32, len(block.Executions))
	}
	var last string
	var facts fileFacts
	var annotated map[int][]testengine.Tag
	for i := range block.Executions {
		if i%touched == 0 {
			testengine.Touch(block.Executions[i:min(i+touched, len(block.Executions))])
		}
		if file := block.Executions[i].File; i == 0 || file != last {
			last, facts = file, files.of(file)
		}
		if rules != nil {
			a.Owners[i] = facts.owner
		}
		if facts.tags == nil {
			continue
		}
		if _, sent := block.Executions[i].Tag(core.FileKey); sent {
			continue
		}
		if annotated == nil {
			annotated = make(map[int][]testengine.Tag, len(block.Executions))
			maps.Copy(annotated, a.Executions)
		}
		annotated[i] = core.Merge(slices.Clip(annotated[i]), facts.tags...)
	}
	if annotated != nil {
		a.Executions = annotated
	}
	a.OwnerNames = files.names
}

type fileTable struct {
	enricher *enricher
	owners   *ownersFile // nil when nobody owns anything
	upload   *testengine.Upload
	known    map[string]fileFacts
	names    []string
}

func (t *fileTable) of(file string) fileFacts {
	path := core.Path(t.upload, file)
	if t.owners == nil && path == file {
		return fileFacts{owner: -1} // The usual case: nobody's, and as it was sent.
	}
	if facts, ok := t.known[file]; ok {
		return facts
	}
	facts := fileFacts{owner: -1}
	if t.enricher.config.paths && path != file && path != "" {
		facts.tags = []testengine.Tag{{Key: core.FileKey, Value: path}}
	}
	if t.owners != nil {
		if owner := t.owners.owner(path); owner != "" {
			facts.owner = int32(slices.Index(t.names, owner))
			if facts.owner < 0 {
				facts.owner = int32(len(t.names))
				t.names = append(t.names, owner)
			}
		}
	}
	t.known[file] = facts
	return facts
}

// sign adds the signatures of failures, those inside a passed execution included.
func (e *enricher) sign(block *testengine.Block, a *testengine.Annotations) {
	var signatures map[int]testengine.Signature
	for i := range block.Executions {
		x := &block.Executions[i]
		if x.Result != testengine.ResultFailed && !x.RetriedInside() {
			continue
		}
		if signatures == nil {
			signatures = map[int]testengine.Signature{}
		}
		signatures[i] = signature.Of(x.FailureReason, x.FailureExpanded())
	}
	if signatures == nil {
		return
	}
	a.Signatures = signatures
	e.signatures.Incr(int64(len(signatures)))
}

// Close ends the background work; a source that does not answer is left behind.
func (e *enricher) Close(ctx context.Context) error {
	e.stop()
	done := make(chan struct{})
	go func() {
		e.workers.Wait()
		close(done)
	}()
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil
}
