package statestore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/bucket"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/depot"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
)

const (
	sfStore          = "store"
	sfStorePath      = "path"
	sfStoreS3        = "s3"
	sfUploadInterval = "upload_interval"
	sfOrphanAge      = "orphan_age"
	sfBucket         = "bucket"
	sfPrefix         = "prefix"
	sfEndpoint       = "endpoint"
	sfRegion         = "region"
	sfPathStyle      = "path_style"
	sfID             = "id"
	sfSecret         = "secret"
)

func stateStoreField() *service.ConfigField {
	return service.NewObjectField(sfStore,
		service.NewStringField(sfStorePath).
			Description("A directory that all nodes share.").Default(""),
		service.NewObjectField(sfStoreS3,
			service.NewStringField(sfBucket).Description("The bucket. It has to know conditional writes (`If-None-Match`), as AWS does.").Default(""),
			service.NewStringField(sfPrefix).Description("What the names of the objects begin with, one prefix for each pipeline.").Default(""),
			service.NewStringField(sfEndpoint).Description("The address of a server other than AWS.").Default(""),
			service.NewStringField(sfRegion).Description("The region.").Default("us-east-1"),
			service.NewBoolField(sfPathStyle).Description("Whether the bucket's name is part of the path and not of the host, as most servers other than AWS want it.").Default(false),
			service.NewStringField(sfID).Description("The access key. Without it the environment, the profile or the role of the machine decide.").Default(""),
			service.NewStringField(sfSecret).Description("The secret of the access key.").Default("").Secret(),
		).Description("A bucket that speaks S3."),
		fields.NewDuration(sfUploadInterval).
			Description("How often the newest snapshot is uploaded. A node that takes over redoes at most about this much and `snapshot_interval` of the log.").
			Default("30s").Advanced(),
		fields.NewDuration(sfOrphanAge).
			Description("How old an uploaded file must be before it is removed when no manifest names it. Longer than the longest upload.").
			Default("1h").Advanced(),
	).Description("Where snapshots are uploaded for other nodes: `path` or `s3`. Without either they stay on this node.")
}

// stateStoreConfig is the parsed field; without path and bucket there is no store.
type stateStoreConfig struct {
	path      string
	s3        *bucket.Config
	interval  time.Duration
	orphanAge time.Duration
}

func stateStoreFromParsed(conf *service.ParsedConfig) (c stateStoreConfig, err error) {
	p := fields.Into(&err, conf.Namespace(sfStore))
	c.interval, c.orphanAge, c.path = p.Duration(sfUploadInterval), p.Duration(sfOrphanAge), p.Text(sfStorePath)
	at := p.Within(sfStoreS3)
	if at.Text(sfBucket) != "" {
		c.s3 = &bucket.Config{
			Bucket: at.Text(sfBucket), Prefix: at.Text(sfPrefix), Endpoint: at.Text(sfEndpoint), Region: at.Text(sfRegion),
			PathStyle: at.Truth(sfPathStyle), ID: at.Text(sfID), Secret: at.Text(sfSecret),
		}
	}
	switch {
	case err != nil:
		return c, err
	case c.path != "" && c.s3 != nil:
		return c, errors.New("reading store: path and s3 exclude each other")
	case c.interval <= 0 || c.orphanAge <= 0:
		return c, fmt.Errorf("reading store: %s and %s must be more than 0s", sfUploadInterval, sfOrphanAge)
	}
	return c, nil
}

// openDepot puts the store into the state's options.
func (c stateStoreConfig) openDepot(o *state.Options, res *service.Resources) (err error) {
	switch {
	case c.s3 != nil:
		o.Depot, err = bucket.New(context.Background(), *c.s3)
	case c.path != "":
		o.Depot, err = depot.NewDirectory(disk.OS(), c.path)
	default:
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening the store of the state: %w", err)
	}
	o.OrphanAge, o.Process = c.orphanAge, strings.ToLower(rand.Text()[:12])
	uploads := res.Metrics().NewCounter("testengine_state_uploads_total", "result")
	latency := res.Metrics().NewTimer("testengine_state_upload_latency_ns")
	o.Uploaded = func(took time.Duration, err error) {
		if err != nil {
			uploads.Incr(1, "failed")
			return
		}
		uploads.Incr(1, "done")
		latency.Timing(took.Nanoseconds())
	}
	return nil
}
