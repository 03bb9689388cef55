// Package upload makes blocks of executions out of what collectors send, and
// runs ordinary processors on single executions.
package upload

import (
	"context"
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/stateful"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
	"github.com/connect-testengine/connect-testengine/plugins/testengine"
	"github.com/connect-testengine/connect-testengine/plugins/upload/assemble"
	"github.com/connect-testengine/connect-testengine/plugins/upload/formats"
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
	// mostDecoded bounds max_decoded_bytes: 4 GiB.
	mostDecoded = 4 << 30
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
	read       func(facts assemble.Facts, contentType string, body []byte, limits assemble.Limits) assemble.Result
}

func decoderFromParsed(conf *service.ParsedConfig, res *service.Resources) (*decoder, error) {
	var err error
	p := fields.Into(&err, conf)
	d := &decoder{
		counters: newCounters(res.Metrics()), log: res.Logger(), now: time.Now, read: formats.Decode,
		limits:     limitsFromParsed(p),
		maxDecoded: int(p.BytesWithin(1, mostDecoded, decodeFieldMaxDecodedBytes)),
		reports:    p.Text(decodeFieldReports),
		org:        p.Interpolated(decodeFieldOrg),
		suite:      p.Interpolated(decodeFieldSuite),
		window:     p.Duration(decodeFieldWindow),
	}
	if err != nil {
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

// decodeNumbers are the bounds of the numbers.
var decodeNumbers = map[string]struct{ least, most int }{
	decodeFieldBlockSize:     {1, testengine.BlockSize},
	decodeFieldMaxProblems:   {1, 10_000},
	decodeFieldMaxDepth:      {8, 10_000},
	decodeFieldMaxUploadTags: {0, fields.Endless},
	decodeFieldMaxTags:       {0, fields.Endless},
	decodeFieldMaxTagKey:     {1, fields.Endless},
	decodeFieldMaxTagValue:   {1, fields.Endless},
	decodeFieldMaxEnvKeys:    {0, fields.Endless},
	decodeFieldMaxEnvValue:   {64, assemble.MaxEnvBytes},
	decodeFieldMaxText:       {256, 64 << 10},
	decodeFieldMaxDetail:     {256, 256 << 10},
}

func numberField(name string) *service.ConfigField {
	return fields.NewNumber(name, decodeNumbers[name].least, decodeNumbers[name].most)
}

func limitsFromParsed(p fields.Reader) (limits assemble.Limits) {
	number := func(name string) int {
		return p.NumberWithin(decodeNumbers[name].least, decodeNumbers[name].most, name)
	}
	limits = assemble.Limits{
		BlockSize: number(decodeFieldBlockSize), MaxProblems: number(decodeFieldMaxProblems), MaxDepth: number(decodeFieldMaxDepth),
		UploadTags: number(decodeFieldMaxUploadTags), ExecutionTags: number(decodeFieldMaxTags),
		TagKeyBytes: number(decodeFieldMaxTagKey), TagValueBytes: number(decodeFieldMaxTagValue),
		EnvKeys: number(decodeFieldMaxEnvKeys), EnvBytes: number(decodeFieldMaxEnvValue),
		TextBytes: number(decodeFieldMaxText), DetailBytes: number(decodeFieldMaxDetail),
		FactsOnly: p.Text(decodeFieldKeep) == keepFacts,
	}
	keep, err := assemble.ParseKeepDetails(p.Text(decodeFieldKeepDetails))
	p.Keep(err)
	limits.KeepDetails = keep
	return limits
}

// Close implements service.Processor.
func (d *decoder) Close(context.Context) error {
	d.lanes.Close()
	return nil
}
