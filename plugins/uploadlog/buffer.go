package uploadlog

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/uploadlog/disklog"
	"github.com/connect-testengine/connect-testengine/plugins/uploadlog/spool"
)

func init() {
	service.MustRegisterBatchBuffer("upload_log", uploadLogSpec(),
		func(conf *service.ParsedConfig, mgr *service.Resources) (service.BatchBuffer, error) {
			config, err := uploadLogFromParsed(conf)
			if err != nil {
				return nil, err
			}
			buffer, err := newUploadLog(config, mgr, disk.OS(), time.Now)
			if err != nil {
				return nil, err
			}
			return buffer, nil
		})
}

// uploadLog is the buffer: the log in front, lanes of deliveries behind.
type uploadLog struct {
	config   uploadLogConfig
	log      *disklog.Log
	follower testengine.LogFollower
	store    testengine.LogReader
	spool    *spool.Spool // nil when being on disk is enough.
	// pipelined says that a lane has several batches on their way.
	pipelined bool
	now       func() time.Time
	logger    *service.Logger
	metrics   uploadLogMetrics

	mu         sync.Mutex
	lanes      []delivery
	turn       int
	ended      bool
	refused    error
	lastAppend time.Time
	reported   int64 // Duplicates already counted in the metrics.
	behind     bool  // As the spool's last round saw it; its goroutine's own.
	spilled    int64 // Spilled uploads already counted in the metrics.

	lag     atomic.Int64 // Age of the oldest upload that the output lacks, as the last round saw it.
	changed chan struct{}
	stop    context.CancelFunc
	running context.Context //nolint:containedctx // It bounds the buffer's own goroutines, not a call.
	workers sync.WaitGroup
	closed  sync.Once
}

func newUploadLog(config uploadLogConfig, mgr *service.Resources, d disk.Disk, now func() time.Time) (*uploadLog, error) {
	u := &uploadLog{
		config: config, now: now, logger: mgr.Logger(), metrics: newUploadLogMetrics(mgr.Metrics()),
		changed: make(chan struct{}, 1), lastAppend: now(),
	}
	var err error
	if u.follower, err = fields.OptionalResource[testengine.LogFollower](context.Background(), mgr, "testengine_state", config.state); err != nil {
		return nil, err
	}
	if u.store, err = fields.OptionalResource[testengine.LogReader](context.Background(), mgr, "duckdb_database", config.store); err != nil {
		return nil, err
	}
	door, err := fields.OptionalResource[lagged](context.Background(), mgr, "http_listener", config.listener)
	if err != nil {
		return nil, err
	}
	if err := u.open(d); err != nil {
		return u, err
	}
	if door != nil {
		door.AddLag(func() time.Duration { return time.Duration(u.lag.Load()) })
	}
	return u, nil
}

// lagged is whoever wants to know how far behind the output is.
type lagged interface {
	AddLag(lag func() time.Duration)
}

func (u *uploadLog) open(d disk.Disk) (err error) {
	u.config.options.Changed = u.signal
	if u.log, err = disklog.Open(d, u.config.path, u.config.options); err != nil {
		return err
	}
	u.running, u.stop = context.WithCancel(context.Background())
	u.lanes = make([]delivery, u.log.Identity().Partitions)
	u.pipeline()
	for lane := range u.lanes {
		// Nothing is trimmed before the lane knows where it begins.
		u.log.Keep(lane, 0)
		u.workers.Go(func() { u.restore(lane, 0) })
	}
	u.workers.Go(u.keepHouse)
	if u.config.spillAfter > 0 {
		u.openSpool()
	}
	return nil
}

func (u *uploadLog) signal() {
	select {
	case u.changed <- struct{}{}:
	default:
	}
}

// EndOfInput implements service.BatchBuffer.
func (u *uploadLog) EndOfInput() {
	u.mu.Lock()
	u.ended = true
	u.mu.Unlock()
	u.signal()
}

// Close implements service.BatchBuffer. The engine gives no deadline: what is
// appended is committed, which takes one sync.
func (u *uploadLog) Close(context.Context) (err error) {
	u.closed.Do(func() {
		u.stop()
		u.workers.Wait()
		err = u.log.Close()
		if u.spool != nil {
			u.spool.Close()
		}
	})
	return err
}
