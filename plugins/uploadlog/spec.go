package uploadlog

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/uploadlog/disklog"
)

const (
	ulFieldPath           = "path"
	ulFieldLanes          = "lanes"
	ulFieldState          = "state"
	ulFieldStore          = "store"
	ulFieldBatchEntries   = "batch_entries"
	ulFieldBatchBytes     = "batch_bytes"
	ulFieldMaxBytes       = "max_bytes"
	ulFieldMinFreeBytes   = "min_free_bytes"
	ulFieldMinFreePercent = "min_free_percent"
	ulFieldRetain         = "retain"
	ulFieldRetainBytes    = "retain_bytes"
	ulFieldSegmentBytes   = "segment_bytes"
	ulFieldMemoryBytes    = "memory_bytes"
	ulFieldRecentUploads  = "recent_uploads"
	ulFieldTickInterval   = "tick_interval"
	ulFieldDrain          = "drain"
	ulFieldSpillAfter     = "spill_after"
	ulFieldListener       = "listener"
	ulFieldDrainRate      = "drain_rate"
)

func uploadLogSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Utility").
		Summary("Keeps uploads safe on disk before they are answered, and hands them on in order.").
		Description(`
An upload is acknowledged once it and all uploads before it are synced to disk; many that arrive together share one sync. From then on it has a number that never changes, and everything behind the log names it by that number.

Uploads of one suite keep their order. The log has lanes: a suite always falls into the same one, each lane's batches go through the processors one at a time while the output writes those before, and lanes run side by side. When a batch fails behind the log, the lane's state goes back and the same uploads are handed out again, so a failing output never skips one.

A body that the log already has is recorded as a duplicate, without the body, and acknowledged like the original. When a limit is reached (`+"`max_bytes`, `min_free_bytes`, `min_free_percent`"+`) nothing more is accepted until there is room; what was accepted stays. After an error of the disk nothing is accepted until a restart.

With `+"`spill_after`"+` the log is a spool in front of another log, Kafka say: an upload is acknowledged when the output has acknowledged it, and at the latest after that time, because it is safe on this disk. What an upload waited at `+"`collector_http`"+` for others, before it was written, counts: an output that takes less than what comes in keeps them waiting there. While the output is further behind than that, and for that time afterwards, uploads are acknowledged as soon as they are on disk; when it is back they are handed out in order, at most at `+"`drain_rate`"+`. Nothing is refused while there is room. After `+"`kill -9`"+` what the output may not have is handed out again, under the same upload id, so whoever reads the log behind drops what it knows.

The folder belongs to one process. Its identity binds the state and the stores behind it: after the folder was deleted they refuse to go on with the new log.

Metrics: `+"`testengine_log_depth_entries`, `testengine_log_depth_bytes` and `testengine_log_oldest_age_seconds`"+` (what the output lacks), `+"`testengine_log_duplicates_total`, `testengine_log_refused_entries_total`, `testengine_log_spilled_uploads_total`, and `testengine_log_spilling`"+` (1 while the output is further behind than `+"`spill_after`"+`).`).
		Fields(uploadLogPlaceFields()...).
		Fields(uploadLogSpoolFields()...).
		Fields(uploadLogLimitFields()...).
		LintRule(`root = match {
  this.lanes.or(4) < 1 || this.lanes.or(4) > 128 => "lanes must be 1 to 128",
  this.batch_entries.or(64) < 1 => "batch_entries must be at least 1",
  this.min_free_percent.or(5) < 0 || this.min_free_percent.or(5) >= 100 => "min_free_percent must be 0 to 99",
}`).
		Example("Uploads are safe before they are answered",
			"The door answers 202 when the log has synced the upload. What stands behind may be slow or away.", `
input:
  generate:
    interval: 1s
    mapping: 'root = {"format": "json", "data": []}'
buffer:
  upload_log:
    path: ./data/log
    retain: 168h
`).
		Example("A spool in front of Kafka",
			"Uploads are answered when Kafka has them. When Kafka is slow or away for more than two seconds they are answered when they are safe on this disk, and Kafka gets them later, in order.", `
input:
  generate:
    interval: 1s
    mapping: 'root = {"format": "json", "data": []}'
buffer:
  upload_log:
    path: ./data/spool
    spill_after: 2s
    drain_rate: 200MB
`)
}

// uploadLogPlaceFields say where the log is, and who works with it.
func uploadLogPlaceFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewStringField(ulFieldPath).
			Description("The log's folder. It is made when it does not exist.").
			Example("./data/log"),
		service.NewIntField(ulFieldLanes).
			Description("How many lanes run side by side, 1 to 128. It is fixed when the log is made: another number later is refused.").
			Default(4),
		service.NewStringField(ulFieldState).
			Description("The label of the `testengine_state` resource that the pipeline's stateful processors use. The log brings it to the right place at start and ticks when its timers are due.").
			Default(""),
		service.NewStringField(ulFieldStore).
			Description("The label of the `duckdb_database` resource behind the pipeline. At start the log checks that it can still give the store everything the store lacks.").
			Default(""),
		service.NewStringField(ulFieldListener).
			Description("The label of the `http_listener` of the front door, which then knows how far behind the output is: the age of the oldest upload that the output lacks (see `concurrency.max_lag` there). Empty tells nobody.").
			Default("").Advanced(),
	}
}

func uploadLogSpoolFields() []*service.ConfigField {
	return []*service.ConfigField{
		fields.NewDuration(ulFieldSpillAfter).
			Description("For how long an acknowledgement waits for the output's. 0s does not wait for the output: on disk is enough. Set it, to some seconds, when the output is a log of its own.").
			Default("0s"),
		service.NewStringField(ulFieldDrainRate).
			Description("With `spill_after`: how many bytes a second are handed out while the output is behind, what comes in meanwhile included, so it must be more than what comes in. 0 is no limit.").
			Default("0"),
	}
}

func uploadLogLimitFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewIntField(ulFieldBatchEntries).
			Description("The most uploads in one batch.").Default(64),
		service.NewStringField(ulFieldBatchBytes).
			Description("The most bytes in one batch. A larger upload is a batch of its own.").Default("16MB"),
		service.NewStringField(ulFieldMaxBytes).
			Description("The most the log may take on disk; beyond it nothing is accepted. At least twice `segment_bytes`; 0 is no limit.").Default("64GB"),
		service.NewStringField(ulFieldMinFreeBytes).
			Description("With less than this free on the disk nothing is accepted.").Default("1GB"),
		service.NewFloatField(ulFieldMinFreePercent).
			Description("With less than this share of the disk free nothing is accepted.").Default(5.0),
		fields.NewDuration(ulFieldRetain).
			Description("For how long uploads that are done are kept, so that they can be replayed. They go earlier when the log needs their room. 0s keeps only what is still needed, unless `retain_bytes` is set.").Default("0s"),
		service.NewStringField(ulFieldRetainBytes).
			Description("How many bytes of uploads that are done are kept for replay. With `retain` set too, whichever is reached first counts.").Default("0"),
		service.NewStringField(ulFieldSegmentBytes).
			Description("The size of one file of the log, reserved in advance. The largest upload must fit.").Default("256MB").Advanced(),
		service.NewStringField(ulFieldMemoryBytes).
			Description("How many bytes of recent uploads stay in memory for a pipeline that keeps up. Older ones are read from disk.").Default("64MB").Advanced(),
		fields.NewNumber(ulFieldRecentUploads, 0, fields.Endless).
			Description("How many recent upload ids are remembered to recognise duplicates before they are written. Those that slip through are recognised behind the log.").Default(100000).Advanced(),
		fields.NewDuration(ulFieldTickInterval).
			Description("How often the log looks for due timers, moves its cursors to disk and removes what is done.").Default("1s").Advanced(),
		service.NewBoolField(ulFieldDrain).
			Description("When the input has ended, deliver everything in the log before ending. Otherwise the log stops at once and goes on at the next start.").Default(false).Advanced(),
	}
}

// uploadLogConfig is the parsed configuration.
type uploadLogConfig struct {
	path         string
	state, store string
	batch        disklog.Limit
	options      disklog.Options
	tickInterval time.Duration
	drain        bool
	spillAfter   time.Duration
	listener     string
	drainRate    int64
}

func uploadLogFromParsed(conf *service.ParsedConfig) (c uploadLogConfig, err error) {
	p := fields.Into(&err, conf)
	c.path = p.Text(ulFieldPath)
	c.state, c.store = p.Text(ulFieldState), p.Text(ulFieldStore)
	c.batch = disklog.Limit{Entries: p.Number(ulFieldBatchEntries), Bytes: p.Bytes(ulFieldBatchBytes)}
	c.listener = p.Text(ulFieldListener)
	c.tickInterval = p.Duration(ulFieldTickInterval)
	c.drain = p.Truth(ulFieldDrain)
	c.spillAfter, c.drainRate = p.Duration(ulFieldSpillAfter), p.Bytes(ulFieldDrainRate)
	c.options = disklog.Options{
		Lanes:          p.Number(ulFieldLanes),
		SegmentBytes:   p.Bytes(ulFieldSegmentBytes),
		MaxBytes:       p.Bytes(ulFieldMaxBytes),
		MinFreeBytes:   p.Bytes(ulFieldMinFreeBytes),
		MinFreePercent: p.Fraction(ulFieldMinFreePercent),
		MemoryBytes:    p.Bytes(ulFieldMemoryBytes),
		Retain:         p.Duration(ulFieldRetain),
		RetainBytes:    p.Bytes(ulFieldRetainBytes),
		RecentKeys:     p.NumberWithin(0, fields.Endless, ulFieldRecentUploads),
		Random:         rand.Reader,
	}
	if err != nil {
		return c, err
	}
	if limit := c.options.MaxBytes; limit > 0 && limit < 2*c.options.SegmentBytes {
		return c, fmt.Errorf("%s (%s) must be at least twice %s (%s)", ulFieldMaxBytes, humanize.Bytes(uint64(limit)),
			ulFieldSegmentBytes, humanize.Bytes(uint64(c.options.SegmentBytes)))
	}
	if c.spillAfter < 0 || c.spillAfter == 0 && c.drainRate > 0 {
		return c, fmt.Errorf("%s must be more than 0s when %s is set, and never less", ulFieldSpillAfter, ulFieldDrainRate)
	}
	if c.tickInterval <= 0 {
		return c, fmt.Errorf("%s must be more than 0s", ulFieldTickInterval)
	}
	return c, nil
}
