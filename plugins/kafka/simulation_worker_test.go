//go:build synctests

package kafka

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog"
	"github.com/connect-testengine/connect-testengine/plugins/kafka/kafkalog/appendtime"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk/crashdisk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
)

const (
	simGroup   = "pipeline"
	simSession = 3 * time.Second
	simCommits = 300 * time.Millisecond
)

// simNode is a machine: a name and a disk that outlive its workers.
type simNode struct {
	name   string // of the instance
	disk   *crashdisk.Disk
	worker *simWorker
	// wanted is false once it has left for good, or another has taken its name.
	wanted bool
}

// simWorker is one life of a process with the real input, output, transaction and state.
type simWorker struct {
	world   *simWorld
	node    *simNode
	process *simProcess
	network *simNetwork
	ctx     context.Context //nolint:containedctx // the life of the process
	stop    context.CancelFunc
	reading context.Context //nolint:containedctx // ends when it is to leave in order
	leave   context.CancelFunc

	store    *state.Store
	input    *kafkaStateful
	output   *kafkaBlocks
	pipeline *simPipeline
	batches  sync.WaitGroup
	loops    sync.WaitGroup
	ended    chan struct{}
	why      error // read after ended

	mu    sync.Mutex
	nacks int
	slow  time.Duration
}

func (w *simWorld) launch(n *simNode) *simWorker {
	p := newSimProcess()
	worker := &simWorker{world: w, node: n, process: p, ended: make(chan struct{})}
	worker.ctx, worker.stop = context.WithCancel(context.Background())
	worker.reading, worker.leave = context.WithCancel(worker.ctx)
	worker.network = newSimNetwork(p, w.network.DialContext, worker.judge)
	n.worker = worker
	w.lives = append(w.lives, worker)
	go worker.live()
	return worker
}

// live is the process from its start to its end.
func (k *simWorker) live() {
	defer close(k.ended)
	k.why = k.run()
	k.world.note("%s ends: %v", k.node.name, k.why)
	k.stop()
	if k.store != nil && k.process.running() {
		_ = k.store.Close(context.Background())
	}
	if k.process.running() {
		k.process.die(func() { k.node.disk.Kill() })
		k.network.cut()
		k.world.over(k)
	}
	k.loops.Wait()
	k.batches.Wait()
	if k.output != nil {
		_ = k.output.Close(context.Background())
	}
}

func (k *simWorker) run() error {
	mgr := service.MockResources(service.MockResourcesOptUseLogger(k.world.logger(k.node.name)))
	k.input = &kafkaStateful{mgr: mgr, metrics: newKafkaMetrics(mgr.Metrics()), reader: &kafkaReader{}}
	options, err := k.world.kind.equip(k, mgr)
	if err != nil {
		return err
	}
	for {
		k.input.source, err = kafkalog.Open(k.reading, options)
		if err == nil {
			break
		}
		if errors.Is(err, kafkalog.ErrRefused) || k.reading.Err() != nil || !k.rest(200*time.Millisecond) {
			return err
		}
	}
	return k.host()
}

func (k *simWorker) client() []kgo.Opt {
	return append(k.network.options(), kgo.SeedBrokers(k.world.addresses...), appendtime.Reader())
}

// options are those that every kind of worker has.
func (k *simWorker) options(mgr *service.Resources) kafkalog.Options {
	return kafkalog.Options{
		Client: k.client(), Group: simGroup, InstanceID: k.node.name, Topics: []string{"uploads"}, DeadLetters: "dead_letters",
		CheckKeys: true, CreatedTimes: k.world.created, Keyless: keyless, BatchRecords: 5, Drain: time.Second,
		SessionTimeout: simSession, RebalanceTimeout: 4 * time.Second, TickInterval: 400 * time.Millisecond,
		RecordBytes: 1 << 20, Logger: mgr.Logger(), Observer: k.input.metrics,
	}
}

// every runs a loop of the state beside the stream.
func (k *simWorker) every(interval time.Duration, run func(context.Context, <-chan time.Time)) {
	k.loops.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		run(k.ctx, ticker.C)
	})
}

// rest waits; false means that the process ends.
func (k *simWorker) rest(wait time.Duration) bool {
	select {
	case <-time.After(wait):
		return true
	case <-k.ctx.Done():
		return false
	}
}

// host is what the host does: each batch runs through the processors to the
// output by itself, and its acknowledgement goes back.
func (k *simWorker) host() error {
	defer k.input.source.Close()
	for {
		batch, ack, err := k.input.ReadBatch(k.reading)
		switch {
		case errors.Is(err, service.ErrEndOfInput):
			return k.input.refused
		case err != nil:
			return err
		}
		k.batches.Go(func() { k.handle(batch, ack) })
	}
}

func (k *simWorker) handle(batch service.MessageBatch, ack service.AckFunc) {
	nack, slow := k.trouble()
	out, bad := k.world.kind.process(k, batch)
	if slow > 0 && !k.rest(slow) || !k.process.passage(k.process.dead) {
		return
	}
	err := errors.New("the simulated output refuses")
	if !nack {
		if failed := k.world.kind.write(k, out); failed != nil || !bad {
			err = failed
		}
	}
	if k.process.passage(k.process.dead) {
		_ = ack(k.ctx, err)
	}
}

// trouble is what was planned for the next batch.
func (k *simWorker) trouble() (nack bool, slow time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.nacks > 0 {
		k.nacks--
		nack = true
	}
	slow, k.slow = k.slow, 0
	return nack, slow
}
