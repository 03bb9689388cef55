package uploadlog

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/uploadlog/disklog"
)

const (
	ulFieldFrom  = "from"
	ulFieldUntil = "until"
)

func init() {
	service.MustRegisterBatchInput("upload_log", uploadLogInputSpec(),
		func(conf *service.ParsedConfig, mgr *service.Resources) (service.BatchInput, error) {
			config, err := uploadLogInputFromParsed(conf)
			if err != nil {
				return nil, err
			}
			return newUploadLogInput(config, mgr, disk.OS())
		})
}

func uploadLogInputSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Utility").
		Summary("Replays the log of uploads that the buffer `upload_log` keeps.").
		Description(`
Uploads, duplicates, changes and ticks come in the order in which they were written, over all lanes, under the names they had: the same log, lane and number. So a fresh replay comes to the same verdicts as the stream that wrote the log. The input ends at the log's end.

One batch is on its way at a time; a batch that fails is handed out again. Nothing in the folder is changed. A folder that a running process holds is refused: stop it, or replay a copy.`).
		Field(service.NewStringField(ulFieldPath).
			Description("The log's folder.").
			Example("./data/log")).
		Field(service.NewIntField(ulFieldFrom).
			Description("The first number to replay. Numbers that were trimmed are passed by.").
			Default(0)).
		Field(service.NewIntField(ulFieldUntil).
			Description("The number to stop before; 0 replays to the end.").
			Default(0)).
		Field(service.NewStringField(ulFieldState).
			Description("The label of the `testengine_state` resource that the pipeline's stateful processors use, if they use one.").
			Default("")).
		Field(service.NewIntField(ulFieldBatchEntries).
			Description("The most uploads in one batch.").Default(64)).
		Field(service.NewStringField(ulFieldBatchBytes).
			Description("About how many bytes are in one batch.").Default("16MB")).
		LintRule(`root = match {
  this.from.or(0) < 0 => "from must not be negative",
  this.until.or(0) < 0 || (this.until.or(0) > 0 && this.until.or(0) <= this.from.or(0)) => "until must be greater than from, or 0",
  this.batch_entries.or(64) < 1 => "batch_entries must be at least 1",
}`).
		Example("Judge a log again", "Everything in the log goes through the pipeline once more.", `
input:
  upload_log:
    path: ./data/log
`)
}

type uploadLogInputConfig struct {
	path        string
	from, until int64
	state       string
	batch       disklog.Limit
}

func uploadLogInputFromParsed(conf *service.ParsedConfig) (c uploadLogInputConfig, err error) {
	p := fields.Into(&err, conf)
	c = uploadLogInputConfig{
		path:  p.Text(ulFieldPath),
		from:  int64(p.Number(ulFieldFrom)),
		until: int64(p.Number(ulFieldUntil)),
		state: p.Text(ulFieldState),
		batch: disklog.Limit{Entries: p.Number(ulFieldBatchEntries), Bytes: p.Bytes(ulFieldBatchBytes)},
	}
	return c, err
}

// uploadLogInput replays a log, one batch at a time.
type uploadLogInput struct {
	config   uploadLogInputConfig
	log      *disklog.Log
	follower testengine.LogFollower
	logger   *service.Logger

	// free holds a token while no batch is on its way.
	free   chan struct{}
	replay *disklog.Replay
	next   []int64 // Where each lane goes on.
	closed sync.Once
}

func newUploadLogInput(config uploadLogInputConfig, mgr *service.Resources, d disk.Disk) (*uploadLogInput, error) {
	follower, err := fields.OptionalResource[testengine.LogFollower](context.Background(), mgr, "testengine_state", config.state)
	if err != nil {
		return nil, err
	}
	log, err := disklog.Open(d, config.path, disklog.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	in := &uploadLogInput{config: config, log: log, follower: follower, logger: mgr.Logger(), free: make(chan struct{}, 1)}
	in.next = make([]int64, log.Identity().Partitions)
	for lane := range in.next {
		in.next[lane] = config.from
	}
	in.free <- struct{}{}
	return in, nil
}

// Connect implements service.BatchInput.
func (*uploadLogInput) Connect(context.Context) error { return nil }

// ReadBatch implements service.BatchInput.
func (in *uploadLogInput) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	select {
	case <-in.free:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	records, err := in.read(ctx)
	if err != nil && ctx.Err() == nil {
		in.logger.Errorf("the replay ends early: %v", err)
	}
	if err != nil || len(records) == 0 {
		in.free <- struct{}{}
		return nil, nil, service.ErrEndOfInput
	}
	batch := batchFromRecords(records, in.log.Identity().ID)
	return batch, func(_ context.Context, err error) error {
		in.settle(records, err)
		in.free <- struct{}{}
		return nil
	}, nil
}

func (in *uploadLogInput) read(ctx context.Context) ([]disklog.Record, error) {
	if in.replay == nil {
		if err := in.begin(ctx); err != nil {
			return nil, err
		}
	}
	for {
		records, err := in.replay.Next(in.config.batch)
		if err != nil || len(records) == 0 {
			return nil, err
		}
		// A lane whose state is ahead of the others' has had the first ones.
		records = slices.DeleteFunc(records, func(r disklog.Record) bool { return r.Number < in.next[r.Lane] })
		if len(records) > 0 {
			return records, nil
		}
	}
}

// begin brings the state of every lane to where the replay goes on.
func (in *uploadLogInput) begin(ctx context.Context) error {
	from := slices.Min(in.next)
	if in.follower != nil {
		for lane, cursor := range in.next {
			begin := in.log.Begin(lane)
			next, err := in.follower.Restore(ctx, in.log.Identity(), lane, begin, max(cursor, begin))
			if err != nil {
				return fmt.Errorf("restoring the state of lane %d: %w", lane, err)
			}
			in.next[lane] = next
		}
		from = slices.Min(in.next)
	}
	in.replay = disklog.NewReplay(in.log, from, in.config.until)
	return nil
}

// settle moves the lanes on, or begins again where the failed batch began.
func (in *uploadLogInput) settle(records []disklog.Record, failure error) {
	if failure != nil {
		in.replay = nil
		return
	}
	moved := make([]bool, len(in.next))
	for _, r := range records {
		in.next[r.Lane] = r.Number + 1
		moved[r.Lane] = true
	}
	for lane := range in.next {
		if in.follower != nil && moved[lane] {
			in.follower.Acked(lane, in.next[lane])
		}
	}
}

// Close implements service.BatchInput.
func (in *uploadLogInput) Close(context.Context) (err error) {
	in.closed.Do(func() { err = in.log.Close() })
	return err
}
