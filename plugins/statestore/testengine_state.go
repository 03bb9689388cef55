package statestore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/message/resource"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
)

const (
	stateType = "testengine_state"

	sfPath             = "path"
	sfInMemory         = "in_memory"
	sfSnapshotInterval = "snapshot_interval"
	sfSegmentBytes     = "segment_bytes"
	sfKeep             = "keep"
	sfPipeline         = "pipeline"
)

// stateCloseTimeout bounds the last snapshot at shutdown; without it a restart
// redoes a little more.
const stateCloseTimeout = 5 * time.Second

func init() {
	resource.Register(stateType, stateSpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (any, error) {
			config, err := stateFromParsed(conf)
			if err != nil {
				return nil, err
			}
			return openState(config, res)
		})
}

func stateSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Integration").
		Summary("What stateful processors know, kept in memory and brought to exactly the log's cursor after a crash.").
		Description(`State is a pure function of the log: the log (buffer `+"`upload_log`"+`) asks this resource at start how far the state reaches and redoes the rest. Every record's changes are appended to files, without a sync; at every snapshot the files are synced and named by a manifest. After `+"`kill -9`"+` nothing is lost, after a power cut what happened since the last snapshot is done again, identically, from the log.

The folder belongs to one process and to one log. State of another log, or state that ends before the log begins, is refused with a sentence and never reset silently.

With a `+"`store`"+` the snapshots are also uploaded to a directory or a bucket that all nodes share. A node that takes over a partition, or lost its disk, begins with the later of its own files and the newest uploaded snapshot whose every file verifies, and redoes only the rest. Of two processes that believe to own a partition the one that was replaced loses the race for a manifest, says so, and stops uploading.

Metrics: `+"`testengine_state_snapshots_total{result}`"+`, `+"`testengine_state_snapshot_latency_ns`"+`, `+"`testengine_state_uploads_total{result}`"+`, `+"`testengine_state_upload_latency_ns`"+`.`).
		Fields(
			service.NewStringField(sfPath).
				Description("The folder for the state's files, one folder for each pipeline.").
				Default("./data/state"),
			service.NewBoolField(sfInMemory).
				Description("Write no files. The state then begins anew at every start, so the log has to be kept whole from its beginning (`retain`); meant for tests and back-tests.").
				Default(false),
			fields.NewDuration(sfSnapshotInterval).
				Description("How often the state is made durable. After a power cut at most this much of the log is done again, and the log keeps at least this much.").
				Default("30s").Advanced(),
			service.NewStringField(sfSegmentBytes).
				Description("Size at which a file of changes is closed before its time.").
				Default("16MB").Advanced(),
			fields.NewNumber(sfKeep, 1, fields.Endless).
				Description("How many snapshots are kept for each lane. If files of the newest are damaged, an older one is used and more of the log is done again.").
				Default(3).Advanced(),
			service.NewStringField(sfPipeline).
				Description("The name of the pipeline. State that was written under another name is refused, so that two pipelines cannot share a folder or a store by mistake.").
				Default(""),
			stateStoreField(),
		).
		Example("State beside a log", "The log's lanes and the processors' state go together.", `
testengine_state:
  - label: state
    path: ./data/state

buffer:
  upload_log:
    path: ./data/log
    state: state

pipeline:
  processors:
    - flaky_detect:
        state: state
`).
		Example("State that moves with its partitions", "Every node uploads its snapshots to one bucket; whoever gets a partition begins with them.", `
testengine_state:
  - label: state
    path: ./data/state
    pipeline: detect_flaky
    store:
      s3:
        bucket: testengine-state
        prefix: detect_flaky
`)
}

type stateConfig struct {
	options  state.Options
	interval time.Duration
	store    stateStoreConfig
}

func stateFromParsed(conf *service.ParsedConfig) (c stateConfig, err error) {
	p := fields.Into(&err, conf)
	c.options.Dir = p.Text(sfPath)
	c.options.InMemory = p.Truth(sfInMemory)
	c.interval = p.Duration(sfSnapshotInterval)
	c.options.SegmentBytes = p.Bytes(sfSegmentBytes)
	c.options.Keep = p.NumberWithin(1, fields.Endless, sfKeep)
	c.options.Pipeline = p.Text(sfPipeline)
	if err != nil {
		return c, err
	}
	c.store, err = stateStoreFromParsed(conf)
	return c, err
}

// stateResource is a state.Store that makes its own snapshots. It is what
// AccessCustomResource gives: a state.Provider and a testengine.LogFollower.
type stateResource struct {
	*state.Store
	stop    context.CancelFunc
	workers sync.WaitGroup
}

func openState(config stateConfig, res *service.Resources) (*stateResource, error) {
	logger := res.Logger()
	config.options.Warn = func(text string) { logger.Warn(text) }
	snapshots := res.Metrics().NewCounter("testengine_state_snapshots_total", "result")
	latency := res.Metrics().NewTimer("testengine_state_snapshot_latency_ns")
	config.options.Snapshotted = func(took time.Duration, err error) {
		if err != nil {
			snapshots.Incr(1, "failed")
			return
		}
		snapshots.Incr(1, "done")
		latency.Timing(took.Nanoseconds())
	}
	config.options.Now = time.Now
	if err := config.store.openDepot(&config.options, res); err != nil {
		return nil, err
	}
	store, err := state.Open(disk.OS(), config.options)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &stateResource{Store: store, stop: stop}
	if !config.options.InMemory {
		r.workers.Go(func() {
			ticker := time.NewTicker(config.interval)
			defer ticker.Stop()
			store.Run(ctx, ticker.C)
		})
	}
	if config.options.Depot != nil && !config.options.InMemory {
		r.workers.Go(func() {
			ticker := time.NewTicker(config.store.interval)
			defer ticker.Stop()
			store.RunUploads(ctx, ticker.C)
		})
	}
	return r, nil
}

// Close makes a last snapshot within stateCloseTimeout.
func (r *stateResource) Close(ctx context.Context) error {
	r.stop()
	ctx, cancel := context.WithTimeout(ctx, stateCloseTimeout)
	defer cancel()
	closed := make(chan error, 1)
	go func() {
		r.workers.Wait()
		closed <- r.Store.Close(ctx)
	}()
	select {
	case err := <-closed:
		return err
	case <-ctx.Done():
		return fmt.Errorf("closing the state: %w", ctx.Err())
	}
}
