// Package upload makes blocks of executions out of what collectors send, and
// runs ordinary processors on single executions.
package upload

import (
	"context"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/stateful"
	"github.com/connect-testengine/connect-testengine/plugins/stream/state"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
)

const (
	decodeFieldBlockSize       = "block_size"
	decodeFieldKeep            = "keep"
	decodeFieldKeepDetails     = "keep_details"
	decodeFieldMaxDecodedBytes = "max_decoded_bytes"
	decodeFieldMaxProblems     = "max_problems"
	decodeFieldMaxDepth        = "max_depth"
	decodeFieldMaxUploadTags   = "max_upload_tags"
	decodeFieldMaxTags         = "max_execution_tags"
	decodeFieldMaxTagKey       = "max_tag_key_bytes"
	decodeFieldMaxTagValue     = "max_tag_value_bytes"
	decodeFieldMaxEnvKeys      = "max_run_env_keys"
	decodeFieldMaxEnvValue     = "max_run_env_value_bytes"
	decodeFieldMaxText         = "max_text_bytes"
	decodeFieldMaxDetail       = "max_detail_bytes"
	decodeFieldWindow          = "duplicate_window"
	decodeFieldReports         = "reports"
	decodeFieldOrg             = "org"
	decodeFieldSuite           = "suite"

	keepAll   = "all"
	keepFacts = "facts"

	reportsAlways   = "always"
	reportsProblems = "problems"

	tableName = "uploads"
	// cutVersion changes when the same body would give other blocks or another key.
	cutVersion = 2
)

func init() {
	service.MustRegisterProcessor("upload_decode", decodeSpec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.Processor, error) {
			return decoderFromParsed(conf, res)
		})
}

// decoder is the processor. Its lanes hold what is state; the rest is settled at
// the start, so that threads share it.
type decoder struct {
	limits     assemble.Limits
	maxDecoded int
	reports    string
	org, suite *service.InterpolatedString
	window     time.Duration
	lanes      *stateful.Lanes[*state.Table]
	counters   counters
	log        *service.Logger
	now        func() time.Time
}

func decoderFromParsed(conf *service.ParsedConfig, res *service.Resources) (*decoder, error) {
	d := &decoder{counters: newCounters(res.Metrics()), log: res.Logger(), now: time.Now}
	var err error
	if d.limits, err = limitsFromParsed(conf); err != nil {
		return nil, err
	}
	if d.maxDecoded, err = bytesFromParsed(conf, decodeFieldMaxDecodedBytes); err != nil {
		return nil, err
	}
	if d.reports, err = conf.FieldString(decodeFieldReports); err != nil {
		return nil, err
	}
	if d.org, err = conf.FieldInterpolatedString(decodeFieldOrg); err != nil {
		return nil, err
	}
	if d.suite, err = conf.FieldInterpolatedString(decodeFieldSuite); err != nil {
		return nil, err
	}
	if d.window, err = fields.Duration(conf, decodeFieldWindow); err != nil {
		return nil, err
	}
	label, err := stateful.LabelFromParsed(conf)
	if err != nil {
		return nil, err
	}
	d.lanes = stateful.New(res, stateful.Memory[*state.Table]{
		Label: label, Table: tableName,
		Logic: fmt.Sprintf("uploads/%d/%s", cutVersion, d.window),
		Make:  func(table *state.Table) *state.Table { return table },
	})
	return d, nil
}

func limitsFromParsed(conf *service.ParsedConfig) (limits assemble.Limits, err error) {
	for field, to := range map[string]*int{
		decodeFieldBlockSize:     &limits.BlockSize,
		decodeFieldMaxProblems:   &limits.MaxProblems,
		decodeFieldMaxDepth:      &limits.MaxDepth,
		decodeFieldMaxUploadTags: &limits.UploadTags,
		decodeFieldMaxTags:       &limits.ExecutionTags,
		decodeFieldMaxTagKey:     &limits.TagKeyBytes,
		decodeFieldMaxTagValue:   &limits.TagValueBytes,
		decodeFieldMaxEnvKeys:    &limits.EnvKeys,
		decodeFieldMaxEnvValue:   &limits.EnvBytes,
		decodeFieldMaxText:       &limits.TextBytes,
		decodeFieldMaxDetail:     &limits.DetailBytes,
	} {
		if *to, err = conf.FieldInt(field); err != nil {
			return limits, err
		}
	}
	if limits.EnvBytes < 1 || limits.EnvBytes > assemble.MaxEnvBytes { // Not every configuration is linted.
		return limits, fmt.Errorf("reading %s: it must be between 1 and %d", decodeFieldMaxEnvValue, assemble.MaxEnvBytes)
	}
	word, err := conf.FieldString(decodeFieldKeepDetails)
	if err != nil {
		return limits, err
	}
	if limits.KeepDetails, err = assemble.ParseKeepDetails(word); err != nil {
		return limits, err
	}
	keep, err := conf.FieldString(decodeFieldKeep)
	limits.FactsOnly = keep == keepFacts
	return limits, err
}

func bytesFromParsed(conf *service.ParsedConfig, field string) (int, error) {
	text, err := conf.FieldString(field)
	if err != nil {
		return 0, err
	}
	size, err := humanize.ParseBytes(text)
	if err != nil {
		return 0, fmt.Errorf("reading %s: %w", field, err)
	}
	if size < 1 || size > 4<<30 {
		return 0, fmt.Errorf("reading %s: %s is not between 1 byte and 4 GiB", field, text)
	}
	return int(size), nil
}

// Close implements service.Processor.
func (*decoder) Close(context.Context) error { return nil }
